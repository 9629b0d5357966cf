#include "espalier/analysis/memory.h"

#include <gtest/gtest.h>

#include "tests/analysis/diamond.h"

namespace espalier::analysis {
namespace {

TEST(Memory, CountsWhatIsAliveAtOnce) {
  const MemoryEstimate one = estimate_memory(analysis_test::diamond());
  // Values of 8 bytes: stem, left, right at "right"; left, right, join at "join".
  EXPECT_EQ(one.peak_bytes, 24);
  EXPECT_EQ(one.peak_node, "right");
  EXPECT_EQ(one.total_bytes, 40);
  EXPECT_EQ(one.constant_bytes, 20);
  EXPECT_EQ(one.unknown_values, 0);
  EXPECT_EQ(estimate_memory(analysis_test::diamond(), /*batch=*/10).peak_bytes, 240);
}

TEST(Memory, LeavesUnknownSizesOut) {
  ir::Graph graph = analysis_test::diamond();
  graph.find_value("left")->set_type({});
  const MemoryEstimate estimate = estimate_memory(graph);
  EXPECT_EQ(estimate.unknown_values, 1);
  EXPECT_EQ(estimate.peak_bytes, 16);
}

TEST(Memory, KnowsTheBytesOfAValue) {
  ir::Graph graph = analysis_test::diamond();
  ir::Value& value = *graph.find_value("left");
  EXPECT_EQ(value_bytes(value), 8);
  EXPECT_EQ(value_bytes(value, 3), 24);
  value.set_type({.dtype = tensor::DType::String, .shape = tensor::make_shape({2})});
  EXPECT_EQ(value_bytes(value), -1);
  value.set_type(
      {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({std::int64_t{1} << 62})});
  EXPECT_EQ(value_bytes(value), -1) << "overflow";
}

}  // namespace
}  // namespace espalier::analysis
