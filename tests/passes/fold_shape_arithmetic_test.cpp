#include "espalier/passes/fold_shape_arithmetic.h"

#include <gtest/gtest.h>

#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

using passes_test::apply;
using passes_test::graph_of;
using passes_test::ops_of;

/// Applies the pass and expects the same outputs for two sizes of what is unknown.
ir::Graph folded(const std::string& text) {
  ir::Graph graph = graph_of(text);
  const ir::Graph before = graph.clone();
  EXPECT_GE(apply(fold_shape_arithmetic(), graph), 1U) << kit::to_text(graph);
  for (const std::int64_t size : {1, 3}) {
    passes_test::expect_same_outputs(graph, before, {.unknown_size = size});
  }
  return graph;
}

ir::Ints constant_input(const ir::Node& node, std::size_t index) {
  const Tensor values = node.input(index)->constant().to(at::kLong).contiguous();
  return {values.const_data_ptr<std::int64_t>(),
          values.const_data_ptr<std::int64_t>() + values.numel()};
}

TEST(FoldShapeArithmetic, FoldsTheTailOfAClassifier) {
  const ir::Graph graph = folded(
      "g (float[N,4,2,2] x) => (float[N,C] y) { zero = Constant<value_int=0>()"
      " axis = Constant<value_ints=[0]>() rest = Constant<value_ints=[-1]>()"
      " s = Shape(x) n = Gather(s, zero) u = Unsqueeze(n, axis) t = Concat<axis=0>(u, rest)"
      " y = Reshape(x, t) }");
  EXPECT_EQ(ops_of(graph), "Reshape");
  EXPECT_EQ(constant_input(*graph.nodes()[0], 1), (ir::Ints{0, -1}));
}

TEST(FoldShapeArithmetic, FoldsATailOfComputedChannels) {
  const ir::Graph graph = folded(
      "g (float[N,4,2,2] x) => (float[M,C] y) { one = Constant<value_ints=[1]>()"
      " four = Constant<value_ints=[4]>() rest = Constant<value_ints=[-1]>()"
      " s = Shape(x) c = Slice(s, one, four) p = ReduceProd(c) t = Concat<axis=0>(rest, p)"
      " y = Reshape(x, t) }");
  EXPECT_EQ(ops_of(graph), "Reshape");
  EXPECT_EQ(constant_input(*graph.nodes()[0], 1), (ir::Ints{-1, 16}));
}

TEST(FoldShapeArithmetic, ReadsTheBatchOfAnEarlierValue) {
  const ir::Graph graph = folded(
      "g (float[N,4,2,2] x) => (float[N,C] y) { zero = Constant<value_ints=[0]>()"
      " rest = Constant<value_ints=[-1]>() s = Shape(x) n = Gather(s, zero) r = Relu(x)"
      " m = MaxPool<kernel_shape=[2,2]>(r) t = Concat<axis=0>(n, rest) y = Reshape(m, t) }");
  EXPECT_EQ(ops_of(graph), "Relu MaxPool Reshape");
  EXPECT_EQ(constant_input(*graph.nodes()[2], 1), (ir::Ints{0, -1}));
}

TEST(FoldShapeArithmetic, FoldsAChannelShuffle) {
  const ir::Graph graph = folded(
      "g (float[N,6,4,4] x) => (float[N,6,4,4] y) { zero = Constant<value_ints=[0]>()"
      " one = Constant<value_ints=[1]>() tail = Constant<value_ints=[2,3]>()"
      " two = Constant<value_ints=[2]>() s = Shape(x) n = Gather(s, zero) c = Gather(s, one)"
      " g = Div(c, two) hw = Gather(s, tail) t = Concat<axis=0>(n, two, g, hw) a = Reshape(x, t)"
      " b = Transpose<perm=[0,2,1,3,4]>(a) d = Concat<axis=0>(n, c, hw) y = Reshape(b, d) }");
  EXPECT_EQ(ops_of(graph), "Reshape Transpose Reshape");
  EXPECT_EQ(constant_input(*graph.nodes()[0], 1), (ir::Ints{0, 2, 3, 4, 4}));
  EXPECT_EQ(constant_input(*graph.nodes()[2], 1), (ir::Ints{0, 6, 4, 4}));
}

/// TensorFlow's "same" padding of a 3x3 convolution with stride 2, in floats as exporters write it:
/// total = max((ceil(h / 2) - 1) * 2 + 3 - h, 0), before = total / 2, after = total - before.
std::string same_padding(const std::string& input, const std::string& name) {
  const auto v = [&name](const std::string& value) { return name + value; };
  std::string text = v("s") + " = Shape(" + input + ") ";
  for (const std::string axis : {"h", "w"}) {
    const std::string index = axis == "h" ? "axis_h" : "axis_w";
    text += v(axis) + " = Gather(" + v("s") + ", " + index + ") " + v(axis + "f") +
            " = Cast<to=1>(" + v(axis) + ") " + v(axis + "d") + " = Div(" + v(axis + "f") +
            ", stride) " + v(axis + "c") + " = Ceil(" + v(axis + "d") + ") " + v(axis + "m") +
            " = Sub(" + v(axis + "c") + ", unit) " + v(axis + "t") + " = Mul(" + v(axis + "m") +
            ", stride) " + v(axis + "k") + " = Add(" + v(axis + "t") + ", kernel) " +
            v(axis + "u") + " = Sub(" + v(axis + "k") + ", " + v(axis + "f") + ") " +
            v(axis + "p") + " = Max(" + v(axis + "u") + ", nothing) " + v(axis + "i") +
            " = Cast<to=7>(" + v(axis + "p") + ") " + v(axis + "b") + " = Div(" + v(axis + "i") +
            ", two) " + v(axis + "e") + " = Sub(" + v(axis + "i") + ", " + v(axis + "b") + ") ";
  }
  return text + v("pads") + " = Concat<axis=0>(zero, zero, " + v("hb") + ", " + v("wb") +
         ", zero, zero, " + v("he") + ", " + v("we") + ") " + v("x") + " = Pad(" + input + ", " +
         v("pads") + ") ";
}

TEST(FoldShapeArithmetic, FoldsSamePaddingLayerAfterLayer) {
  const ir::Graph graph = folded(
      "g (float[N,3,9,12] x, float[4,3,3,3] w, float[4,4,3,3] v) => (float[N,4,H,W] y) {"
      " axis_h = Constant<value_ints=[2]>() axis_w = Constant<value_ints=[3]>()"
      " zero = Constant<value_ints=[0]>() two = Constant<value_ints=[2]>()"
      " stride = Constant<value_floats=[2.0]>() unit = Constant<value_floats=[1.0]>()"
      " kernel = Constant<value_floats=[3.0]>() nothing = Constant<value_floats=[0.0]>() " +
      same_padding("x", "a") + "c = Conv<strides=[2,2]>(ax, w) " + same_padding("c", "b") +
      "y = Conv<strides=[2,2]>(bx, v) }");
  EXPECT_EQ(ops_of(graph), "Pad Conv Pad Conv");
  EXPECT_EQ(constant_input(*graph.nodes()[0], 1), (ir::Ints{0, 0, 1, 0, 0, 0, 1, 1}));
  EXPECT_EQ(constant_input(*graph.nodes()[2], 1), (ir::Ints{0, 0, 1, 0, 0, 0, 1, 1}));
}

/// What PyTorch writes for F.pad with computed amounts: last dimension first, padded with zeros,
/// turned around by reshaping.
TEST(FoldShapeArithmetic, FoldsPaddingThatIsTurnedAround) {
  const ir::Graph graph = folded(
      "g (float[N,3,7,7] x) => (float[N,3,H,W] y) { two = Constant<value_int=2>()"
      " axis = Constant<value_ints=[0]>() s = Shape(x) h = Gather(s, two) p = Div(h, two)"
      " pu = Unsqueeze(p, axis) l = Concat<axis=0>(pu, axis, pu, axis)"
      " four = Constant<value_ints=[4]>() z = ConstantOfShape<value = int64[1] {0}>(four)"
      " c = Concat<axis=0>(l, z) shape = Constant<value_ints=[-1,2]>() r = Reshape(c, shape)"
      " b = Constant<value_ints=[-1]>() e = Constant<value_ints=[-9223372036854775807]>()"
      " t = Slice(r, b, e, axis, b) f = Transpose<perm=[1,0]>(t) q = Reshape(f, b) y = Pad(x, q) "
      "}");
  EXPECT_EQ(ops_of(graph), "Pad");
  EXPECT_EQ(constant_input(*graph.nodes()[0], 1), (ir::Ints{0, 0, 3, 3, 0, 0, 0, 0}));
}

TEST(FoldShapeArithmetic, TurnsResizeSizesIntoScales) {
  const ir::Graph graph = folded(
      "g (float[N,3,H,5] x) => (float[N,3,P,Q] y) { front = Constant<value_ints=[0,1]>()"
      " back = Constant<value_ints=[2,3]>() two = Constant<value_ints=[2]>() s = Shape(x)"
      " f = Gather(s, front) b = Gather(s, back) d = Mul(b, two) t = Concat<axis=0>(f, d)"
      " y = Resize<mode=\"nearest\">(x, , , t) }");
  EXPECT_EQ(ops_of(graph), "Resize");
  EXPECT_THAT(graph.nodes()[0]->input(2)->constant(),
              kit::HasSameBits(kit::tensor_of({1, 1, 2, 2})));
  EXPECT_EQ(graph.nodes()[0]->inputs().size(), 3U);
}

TEST(FoldShapeArithmetic, KeepsWhatDependsOnTheData) {
  // The spatial size decides the padding.
  ir::Graph pad = graph_of(
      "g (float[N,3,H,7] x) => (float[N,3,P,Q] y) { axis = Constant<value_ints=[2]>()"
      " two = Constant<value_ints=[2]>() zero = Constant<value_ints=[0]>() s = Shape(x)"
      " h = Gather(s, axis) p = Mod(h, two)"
      " t = Concat<axis=0>(zero, zero, p, zero, zero, zero, zero, zero) y = Pad(x, t) }");
  const ir::Graph before = pad.clone();
  apply(fold_shape_arithmetic(), pad);
  EXPECT_FALSE(pad.nodes().back()->input(1)->is_initializer());
  passes_test::expect_same_outputs(pad, before, {.unknown_size = 5});
  // Two sizes stay unknown.
  ir::Graph reshape = graph_of(
      "g (float[N,4,H,2] x) => (float[A,B,4] y) { swap = Constant<value_ints=[2,0]>()"
      " rest = Constant<value_ints=[8]>() s = Shape(x) f = Gather(s, swap)"
      " t = Concat<axis=0>(f, rest) y = Reshape(x, t) }");
  apply(fold_shape_arithmetic(), reshape);
  EXPECT_FALSE(reshape.nodes().back()->input(1)->is_initializer());
  // The shape itself is an output.
  ir::Graph shape = graph_of("g (float[2,3] x) => (int64[2] y) { y = Shape(x) }");
  EXPECT_EQ(apply(fold_shape_arithmetic(), shape), 0U);
}

}  // namespace
}  // namespace espalier::passes
