#include "espalier/tensor/caching_allocator.h"

#include <cstdint>
#include <thread>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "espalier/tensor/tensor.h"

namespace espalier::tensor {
namespace {

constexpr std::int64_t kMega = std::int64_t{1} << 20;

class CachingAllocatorTest : public testing::Test {
 protected:
  void SetUp() override {
    install_caching_allocator();
    release_cached();
    reset_caching_peak();
  }
  void TearDown() override {
    install_caching_allocator();
    release_cached();
  }
};

TEST_F(CachingAllocatorTest, ReusesFreedBlocks) {
  const void* first = nullptr;
  {
    const Tensor tensor = at::full({8 * kMega}, 1, at::kByte);
    first = tensor.const_data_ptr();
  }
  const CachingStatistics before = caching_statistics();
  EXPECT_GE(before.bytes_cached, static_cast<std::uint64_t>(8 * kMega));
  // A size a little smaller falls into the same class.
  const Tensor again = at::empty({8 * kMega - 4096}, at::kByte);
  EXPECT_EQ(again.const_data_ptr(), first);
  const CachingStatistics after = caching_statistics();
  EXPECT_EQ(after.reuses, before.reuses + 1);
  EXPECT_EQ(after.system_requests, before.system_requests);
  EXPECT_LT(after.bytes_cached, before.bytes_cached);
}

TEST_F(CachingAllocatorTest, AlignsAndSeparatesBlocksOfEverySize) {
  std::vector<Tensor> tensors;
  for (std::int64_t bytes = 1; bytes < 6 * kMega; bytes = bytes * 5 / 4 + 1) {
    const auto value = static_cast<int>(tensors.size() % 251);
    tensors.push_back(at::full({bytes}, value, at::kByte));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensors.back().const_data_ptr()) % 64, 0U) << bytes;
  }
  for (std::size_t index = 0; index < tensors.size(); ++index) {
    EXPECT_TRUE((tensors[index] == static_cast<int>(index % 251)).all().item<bool>()) << index;
  }
}

TEST_F(CachingAllocatorTest, CountsBytesAndReleases) {
  const std::uint64_t start = caching_statistics().bytes_in_use;
  Tensor tensor = at::empty({4 * kMega}, at::kByte);
  const CachingStatistics used = caching_statistics();
  EXPECT_GE(used.bytes_in_use, start + static_cast<std::uint64_t>(4 * kMega));
  EXPECT_LE(used.bytes_in_use, start + static_cast<std::uint64_t>(5 * kMega));
  EXPECT_GE(used.peak_in_use, used.bytes_in_use);
  tensor.reset();
  EXPECT_EQ(caching_statistics().bytes_in_use, start);
  EXPECT_GE(release_cached(), static_cast<std::uint64_t>(4 * kMega));
  EXPECT_EQ(caching_statistics().bytes_cached, 0U);
  EXPECT_EQ(release_cached(), 0U);
}

TEST_F(CachingAllocatorTest, KeepsNoMoreThanItIsAllowed) {
  install_caching_allocator({.most_cached = 0});
  { const Tensor tensor = at::empty({4 * kMega}, at::kByte); }
  EXPECT_EQ(caching_statistics().bytes_cached, 0U);
  install_caching_allocator({.most_cached = 10 * static_cast<std::uint64_t>(kMega)});
  {
    std::vector<Tensor> tensors;
    for (int count = 0; count < 8; ++count) tensors.push_back(at::empty({4 * kMega}, at::kByte));
  }
  EXPECT_LE(caching_statistics().bytes_cached, 10 * static_cast<std::uint64_t>(kMega));
  EXPECT_GT(caching_statistics().bytes_cached, 0U);
}

TEST_F(CachingAllocatorTest, EmptyTensorsNeedNoBlock) {
  const std::uint64_t start = caching_statistics().bytes_in_use;
  const Tensor tensor = at::empty({0, 3}, at::kFloat);
  EXPECT_EQ(caching_statistics().bytes_in_use, start);
}

TEST_F(CachingAllocatorTest, RefusesWhatNoMachineHas) {
  try {
    const Tensor tensor = at::empty({std::int64_t{1} << 50}, at::kByte);
    FAIL() << "a petabyte was allocated";
  } catch (const c10::Error& error) {
    EXPECT_NE(std::string(error.what()).find("not enough memory"), std::string::npos);
  }
}

TEST_F(CachingAllocatorTest, RefusesMoreThanTheLimit) {
  const std::uint64_t start = caching_statistics().bytes_in_use;
  install_caching_allocator({.most_in_use = start + 20 * static_cast<std::uint64_t>(kMega)});
  { const Tensor freed = at::empty({12 * kMega}, at::kByte); }
  // The cached block is given back rather than counted against the limit.
  const Tensor first = at::empty({16 * kMega}, at::kByte);
  try {
    const Tensor second = at::empty({16 * kMega}, at::kByte);
    FAIL() << "32 MiB were allocated";
  } catch (const c10::Error& error) {
    EXPECT_NE(std::string(error.what()).find("not enough memory: a tensor of 16777216 bytes"),
              std::string::npos);
  }
  EXPECT_LE(caching_statistics().bytes_in_use + caching_statistics().bytes_cached,
            start + 20 * static_cast<std::uint64_t>(kMega));
}

TEST_F(CachingAllocatorTest, ThreadsExchangeBlocks) {
  const std::uint64_t start = caching_statistics().bytes_in_use;
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([thread] {
      for (int round = 0; round < 200; ++round) {
        const std::int64_t bytes = 1000 + 37 * ((round * 7 + thread) % 50);
        const Tensor tensor = at::full({bytes}, thread, at::kByte);
        ASSERT_EQ(tensor[0].item<int>(), thread);
        ASSERT_EQ(tensor[bytes - 1].item<int>(), thread);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(caching_statistics().bytes_in_use, start);
}

}  // namespace
}  // namespace espalier::tensor
