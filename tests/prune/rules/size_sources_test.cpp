#include "espalier/prune/rules/size_sources.h"

#include <gtest/gtest.h>

#include "tests/prune/ties.h"

namespace espalier::prune {
namespace {

/// "a1" for the size of axis 1 of a, "(a1 b0)" for what is computed from sizes, "-" for other
/// numbers.
std::string traced(const std::string& nodes, const std::string& numbers) {
  const ir::Graph graph = prune_test::graph_of(
      "g (float[N,2,H,4] x, float[3,2,1,1] w) => (float[N,3,H,4] y, int64[M] z)"
      " <int64[1] one = {1}, int64[2] mid = {1, 2}, int64[4] twice = {1, 1, 2, 2},"
      "  int64 last = {-1}, int64[1] end = {9}, int64[1] five = {5}, int64[1] front = {0}>"
      " { a = Conv(x, w) y = Relu(a) s = Shape(a) " +
      nodes + " z = Identity(" + numbers + ") }");
  const auto sources = size_sources(*graph.find_value(numbers));
  if (!sources) return "unknown";
  const auto name = [](const Axis& axis) { return axis.value->name() + std::to_string(axis.axis); };
  std::string text;
  for (const SizeSource& source : *sources) {
    if (!text.empty()) text += " ";
    if (source.size_of) {
      text += name(*source.size_of);
    } else if (source.computed_from.empty()) {
      text += "-";
    } else {
      std::string list;
      for (const Axis& axis : source.computed_from) list += (list.empty() ? "" : " ") + name(axis);
      text += "(" + list + ")";
    }
  }
  return text;
}

TEST(SizeSources, ShapesAreTheSizesOfTheirAxes) {
  EXPECT_EQ(traced("", "s"), "a0 a1 a2 a3");
  EXPECT_EQ(traced("t = Shape<start=-3, end=3>(a)", "t"), "a1 a2");
}

TEST(SizeSources, ArePickedAndJoined) {
  EXPECT_EQ(traced("t = Gather(s, last) u = Unsqueeze(t, front)", "u"), "a3");
  EXPECT_EQ(traced("t = Gather(s, mid)", "t"), "a1 a2");
  EXPECT_EQ(traced("t = Slice(s, one, end)", "t"), "a1 a2 a3");
  EXPECT_EQ(traced("h = Shape(x) t = Concat<axis=0>(s, five, h)", "t"),
            "a0 a1 a2 a3 - x0 x1 x2 x3");
}

TEST(SizeSources, ArithmeticIsFollowedElementByElement) {
  EXPECT_EQ(traced("t = Mul(s, twice)", "t"), "a0 a1 (a2) (a3)");
  EXPECT_EQ(traced("h = Shape(x) t = Add(s, h)", "t"), "(a0 x0) (a1 x1) (a2 x2) (a3 x3)");
  EXPECT_EQ(traced("t = ReduceProd<keepdims=1>(s)", "t"), "(a0 a1 a2 a3)");
  EXPECT_EQ(traced("n = Size(a) u = Div(n, five)", "u"), "(a0 a1 a2 a3)");
}

TEST(SizeSources, OtherNumbersHaveNone) {
  EXPECT_EQ(traced("t = Add(five, one)", "t"), "-");
  EXPECT_EQ(traced("t = NonZero(a) u = Flatten<axis=0>(t)", "u"), "unknown");
}

}  // namespace
}  // namespace espalier::prune
