#include "espalier/tensor/worker_threads.h"

#include <atomic>
#include <stdexcept>
#include <vector>

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace espalier::tensor {
namespace {

TEST(WorkerThreads, VisitEveryNumberOnce) {
  for (const int threads : {1, 2, 5}) {
    std::vector<std::atomic<int>> visits(20);
    for_each_index(3, 17, threads, [&](std::size_t index) {
      ++visits.at(index);
      EXPECT_EQ(at::get_num_threads(), 1);
    });
    for (std::size_t index = 0; index < visits.size(); ++index) {
      EXPECT_EQ(visits[index], index >= 3 && index < 17 ? 1 : 0) << index;
    }
  }
}

TEST(WorkerThreads, DoNothingForAnEmptyRange) {
  for_each_index(4, 4, 3, [](std::size_t) { FAIL(); });
}

TEST(WorkerThreads, PassOnAnExceptionAndKeepTheThreadCount) {
  const int threads = at::get_num_threads();
  EXPECT_THROW(for_each_index(0, 50, 3,
                              [](std::size_t index) {
                                if (index == 7) throw std::runtime_error("seven");
                              }),
               std::runtime_error);
  EXPECT_EQ(at::get_num_threads(), threads);
}

}  // namespace
}  // namespace espalier::tensor
