#include "espalier/train/element_ranges.h"

#include <mutex>
#include <set>

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

namespace espalier::train {
namespace {

TEST(ElementRanges, CoverEveryElementOnce) {
  const std::vector<Tensor> tensors{at::zeros({3}), Tensor(), at::zeros({20'000}),
                                    at::zeros({0, 4}), at::zeros({16'384})};
  const std::vector<ElementRange> ranges = split_elements(tensors);
  ASSERT_EQ(ranges.size(), 4U);
  std::vector<std::int64_t> covered(tensors.size(), 0);
  for (const ElementRange& range : ranges) {
    EXPECT_EQ(range.begin, covered[range.tensor]) << "in order, without gaps";
    EXPECT_LE(range.end - range.begin, 16'384);
    covered[range.tensor] = range.end;
  }
  EXPECT_EQ(covered, (std::vector<std::int64_t>{3, 0, 20'000, 0, 16'384}));
}

TEST(ElementRanges, EveryIndexIsVisitedOnce) {
  const std::vector<Tensor> tensors{at::zeros({200'000})};
  const std::vector<ElementRange> ranges = split_elements(tensors);
  std::mutex lock;
  std::multiset<std::size_t> seen;
  for_each_range(ranges, [&](std::size_t index) {
    const std::lock_guard guard(lock);
    seen.insert(index);
  });
  ASSERT_EQ(seen.size(), ranges.size());
  EXPECT_EQ(*seen.begin(), 0U);
  EXPECT_EQ(std::set<std::size_t>(seen.begin(), seen.end()).size(), ranges.size());
}

}  // namespace
}  // namespace espalier::train
