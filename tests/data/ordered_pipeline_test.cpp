#include "espalier/data/ordered_pipeline.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>

#include <gmock/gmock.h>

#include "espalier/base/random.h"

namespace espalier::data {
namespace {

using Item = std::vector<std::int64_t>;
using Pipeline = OrderedPipeline<Item>;

/// Items of 1 to 5 parts; part p of item i holds 10 i + p, after a wait that differs.
PipelineWork<Item> numbered_work(std::int64_t num_items) {
  const auto parts = [](std::int64_t item) { return 1 + item % 5; };
  return {
      .num_items = num_items,
      .num_parts = parts,
      .make = [=](std::int64_t item) { return Item(static_cast<std::size_t>(parts(item)), -1); },
      .fill =
          [](Item& result, std::int64_t item, std::int64_t part) {
            base::Random random(
                1, base::mix(static_cast<std::uint64_t>(item), static_cast<std::uint64_t>(part)));
            std::this_thread::sleep_for(std::chrono::microseconds(random.below(300)));
            result[static_cast<std::size_t>(part)] = 10 * item + part;
          }};
}

void expect_item(const std::optional<Item>& result, std::int64_t item) {
  ASSERT_TRUE(result.has_value());
  Item expected;
  for (std::int64_t part = 0; part < 1 + item % 5; ++part) expected.push_back(10 * item + part);
  EXPECT_EQ(*result, expected);
}

class EveryWorkerCount : public testing::TestWithParam<int> {};

TEST_P(EveryWorkerCount, DeliversInOrder) {
  Pipeline pipeline(numbered_work(100), {.num_workers = GetParam(), .window = 3});
  for (std::int64_t item = 0; item < 100; ++item) expect_item(pipeline.next(), item);
  EXPECT_EQ(pipeline.next(), std::nullopt);
  EXPECT_EQ(pipeline.next(), std::nullopt);
}

TEST_P(EveryWorkerCount, EndsAtOnceWithoutItems) {
  Pipeline pipeline(numbered_work(0), {.num_workers = GetParam(), .window = 3});
  EXPECT_EQ(pipeline.next(), std::nullopt);
}

TEST_P(EveryWorkerCount, ThrowsWhereTheItemWouldHaveCome) {
  PipelineWork<Item> work = numbered_work(20);
  work.fill = [fill = work.fill](Item& result, std::int64_t item, std::int64_t part) {
    // Later items fail sooner, and later parts sooner than earlier ones.
    if (item >= 9 && part >= 1) throw std::runtime_error(std::to_string(10 * item + part));
    fill(result, item, part);
  };
  Pipeline pipeline(std::move(work), {.num_workers = GetParam(), .window = 8});
  for (std::int64_t item = 0; item < 9; ++item) expect_item(pipeline.next(), item);
  for (int attempt = 0; attempt < 3; ++attempt) {
    try {
      (void)pipeline.next();
      ADD_FAILURE() << "nothing was thrown";
    } catch (const std::runtime_error& problem) {
      EXPECT_STREQ(problem.what(), "91") << "the first part that failed, however the threads ran";
    }
  }
}

TEST_P(EveryWorkerCount, ThrowsWhatMakeThrows) {
  PipelineWork<Item> work = numbered_work(5);
  work.make = [make = work.make](std::int64_t item) {
    if (item == 2) throw std::runtime_error("no memory");
    return make(item);
  };
  Pipeline pipeline(std::move(work), {.num_workers = GetParam(), .window = 2});
  expect_item(pipeline.next(), 0);
  expect_item(pipeline.next(), 1);
  EXPECT_THROW((void)pipeline.next(), std::runtime_error);
}

TEST_P(EveryWorkerCount, StopsInTheMiddle) {
  for (std::int64_t taken = 0; taken < 6; ++taken) {
    Pipeline pipeline(numbered_work(1'000'000), {.num_workers = GetParam(), .window = 4});
    for (std::int64_t item = 0; item < taken; ++item) expect_item(pipeline.next(), item);
  }
}

INSTANTIATE_TEST_SUITE_P(OrderedPipeline, EveryWorkerCount, testing::Values(0, 1, 2, 3, 8));

TEST(OrderedPipeline, NeverHoldsMoreThanItsWindow) {
  std::atomic<std::int64_t> made = 0;
  PipelineWork<Item> work = numbered_work(50);
  work.make = [&made, make = work.make](std::int64_t item) {
    ++made;
    return make(item);
  };
  Pipeline pipeline(std::move(work), {.num_workers = 4, .window = 3});
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_LE(made.load(), 3);
  for (std::int64_t item = 0; item < 50; ++item) {
    expect_item(pipeline.next(), item);
    EXPECT_LE(made.load(), item + 1 + 3);
  }
}

TEST(OrderedPipeline, WorksAheadOfItsCaller) {
  std::atomic<std::int64_t> filled = 0;
  PipelineWork<Item> work = numbered_work(50);
  work.fill = [&filled, fill = work.fill](Item& result, std::int64_t item, std::int64_t part) {
    fill(result, item, part);
    ++filled;
  };
  Pipeline pipeline(std::move(work), {.num_workers = 2, .window = 3});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  // Items 0, 1, 2 have 1 + 2 + 3 parts.
  while (filled.load() < 6 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(filled.load(), 6);
}

TEST(OrderedPipeline, LetsSeveralThreadsHurryOneItem) {
  // Every part waits for all others: it ends only if the parts really run side by side.
  std::atomic<int> waiting = 0;
  PipelineWork<int> work{.num_items = 1,
                         .num_parts = [](std::int64_t) { return std::int64_t{3}; },
                         .make = [](std::int64_t) { return 7; },
                         .fill =
                             [&waiting](int&, std::int64_t, std::int64_t) {
                               ++waiting;
                               while (waiting.load() < 3) std::this_thread::yield();
                             }};
  OrderedPipeline<int> pipeline(std::move(work), {.num_workers = 3, .window = 1});
  EXPECT_EQ(pipeline.next(), 7);
}

/// A thread of a system that has two.
class ScarceThread {
 public:
  template <typename Work>
  explicit ScarceThread(Work work) {
    if (started == 2) throw std::system_error(EAGAIN, std::generic_category());
    thread_ = std::thread(std::move(work));
    ++started;
  }
  void join() {
    thread_.join();
    ++joined;
  }
  static inline int started = 0;
  static inline int joined = 0;

 private:
  std::thread thread_;
};

TEST(OrderedPipeline, ASystemWithoutThreadsIsAnError) {
  using Scarce = OrderedPipeline<Item, ScarceThread>;
  EXPECT_THROW(Scarce(numbered_work(5), {.num_workers = 4, .window = 2}), std::system_error);
  EXPECT_EQ(ScarceThread::joined, 2);
}

}  // namespace
}  // namespace espalier::data
