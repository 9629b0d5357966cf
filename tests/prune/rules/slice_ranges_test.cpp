#include "espalier/prune/rules/slice_ranges.h"

#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

SliceRange range_of(const std::string& start, const std::string& end, const std::string& step) {
  const ir::Graph graph = prune_test::graph_of(
      "g (float[2,10] x) => (float[2,Q] y) <int64[1] a = {" + start + "}, int64[1] b = {" + end +
      "}, int64[1] one = {-1}, int64[1] step = {" + step + "}> { y = Slice(x, a, b, one, step) }");
  const auto ranges = slice_ranges(*graph.nodes()[0]);
  return ranges ? ranges->at(0) : SliceRange{.axis = 99};
}

TEST(SliceRanges, ClampAsOnnxDoes) {
  const SliceRange plain = range_of("2", "7", "1");
  EXPECT_EQ(plain.axis, 1U);
  EXPECT_EQ(plain.start, 2);
  EXPECT_EQ(plain.count, 5);
  EXPECT_EQ(range_of("-3", "1000", "1").start, 7);
  EXPECT_EQ(range_of("-3", "1000", "1").count, 3);
  EXPECT_EQ(range_of("0", "10", "3").count, 4);
  const SliceRange back = range_of("-1", "-1000", "-4");
  EXPECT_EQ(back.start, 9);
  EXPECT_EQ(back.count, 3);
  EXPECT_EQ(range_of("1000", "4", "-1").start, 9);
  EXPECT_EQ(range_of("1000", "4", "-1").count, 5);
}

TEST(SliceRanges, GiveNothingForComputedBounds) {
  const ir::Graph graph = prune_test::graph_of(
      "g (float[2,10] x1, int64[1] x2) => (float[2,Q] y) <int64[1] a = {0}>"
      " { y = Slice(x1, a, x2) }");
  EXPECT_FALSE(slice_ranges(*graph.nodes()[0]).has_value());
}

}  // namespace
}  // namespace espalier::prune
