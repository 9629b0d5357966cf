#include "espalier/tensor/worker_threads.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>

#include "espalier/base/interrupt.h"

namespace espalier::tensor {

OneIntraThread::OneIntraThread() : before_(at::get_num_threads()) {
  at::set_num_threads(1);
}

OneIntraThread::~OneIntraThread() {
  at::set_num_threads(before_);
}

void for_each_index(std::size_t first, std::size_t last, int threads,
                    const std::function<void(std::size_t index)>& work) {
  const OneIntraThread caller;
  std::atomic<std::size_t> next{first};
  std::exception_ptr failure;
  std::mutex mutex;
  const auto run = [&] {
    at::set_num_threads(1);
    try {
      for (std::size_t index = next++; index < last; index = next++) {
        base::stop_if_interrupted();
        work(index);
      }
    } catch (...) {
      next = last;
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  };
  const auto wanted =
      std::min(static_cast<std::size_t>(std::max(threads, 1)), std::max(last, first + 1) - first);
  std::vector<std::thread> others;
  for (std::size_t index = 1; index < wanted; ++index) others.emplace_back(run);
  run();
  for (std::thread& thread : others) thread.join();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace espalier::tensor
