#include "espalier/onnx/shapes.h"

#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::onnx {
namespace {

std::string shape_of(const ir::Graph& graph, std::string_view name) {
  const auto& shape = graph.find_value(name)->type().shape;
  return shape ? tensor::to_string(*shape) : "none";
}

TEST(Shapes, ShapeArithmeticKeepsTheBatchSymbol) {
  const ir::Graph graph = parse(R"(agraph (float[N, 2, 3] x) => (float[A, B] y)
  <int64 zero = {0}, int64[1] front = {0}, int64[1] rest = {-1}> {
    s = Shape (x)
    n = Gather (s, zero)
    u = Unsqueeze (n, front)
    target = Concat <axis = 0> (u, rest)
    y = Reshape (x, target)
    z = Relu (y)
  })");
  EXPECT_EQ(shape_of(graph, "y").substr(0, 2), "[N");
  EXPECT_EQ(graph.find_value("s")->type().dtype, tensor::DType::Int64);
}

TEST(Shapes, UnknownDimsHaveNoInventedNames) {
  const ir::Graph graph = parse(R"(agraph (float[N, 2] x, int64[1] k) => (float[A, B] y) {
    top, places = TopK (x, k)
    y = Relu (top)
  })");
  EXPECT_EQ(shape_of(graph, "top"), "[?, ?]");
  EXPECT_EQ(shape_of(graph, "y"), "[A, B]");
}

TEST(Shapes, ConcreteInputShapes) {
  ir::Graph graph = parse(R"(agraph (float[N, 3, H, W] x) => (float[N, 3, A, B] y) {
    p = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x)
    y = Relu (p)
  })");
  infer_shapes(graph, {{"x", tensor::make_shape({2, 3, 8, 6})}});
  EXPECT_EQ(shape_of(graph, "p"), "[2, 3, 4, 3]");
  EXPECT_EQ(shape_of(graph, "y"), "[2, 3, 4, 3]");
}

TEST(Shapes, ConcreteShapesMustFit) {
  ir::Graph graph = parse("agraph (float[N, 3] x) => (float[N, 3] y) { y = Relu (x) }");
  kit::expect_user_error([&] { infer_shapes(graph, {{"z", {}}}); }, "the model has no input 'z'");
  kit::expect_user_error(
      [&] {
        infer_shapes(graph, {{"x", tensor::make_shape({2, 4})}});
      },
      "input 'x': got [2, 4], expected [N, 3]");
  kit::expect_user_error(
      [&] {
        infer_shapes(graph, {{"x", tensor::make_shape({2})}});
      },
      "got [2], expected [N, 3]");
}

TEST(Shapes, ContradictionsNameTheNode) {
  kit::expect_user_error(
      [] {
        static_cast<void>(parse(R"(agraph (float[2, 3] x, float[4, 5] w) => (float[2, 5] y) {
          [product] y = MatMul (x, w)
        })"));
      },
      "types and shapes do not fit together: node 'product' (MatMul): got ");
  kit::expect_user_error(
      [] {
        static_cast<void>(parse(R"(agraph (float[2] x, int64[2] w) => (float[2] y) {
          y = Add (x, w)
        })"));
      },
      "(Add)");
}

TEST(Shapes, AbsurdSizesAreRefused) {
  kit::expect_user_error(
      [] {
        static_cast<void>(parse(R"(agraph (float[1] x) => (float[A, B] y)
        <int64[2] size = {1099511627776, 1099511627776}> { y = Expand (x, size) })"));
      },
      "absurd shape");
}

TEST(Shapes, DeclaredOutputDimsFillTheGaps) {
  const ir::Graph graph = parse(R"(agraph (float[N] x) => (float[4, K] y) {
    a = Frobnicate (x)
    y = Relu (a)
  })");
  EXPECT_EQ(shape_of(graph, "y"), "[4, K]");
}

TEST(Shapes, WeightsNeedNoDataToBeInferred) {
  ir::Graph graph;
  ir::Value& x = graph.add_input(
      "x", {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({1, 3, 8, 8})});
  ir::Value& weight = graph.add_initializer("w", kit::random_tensor({8, 3, 3, 3}, 1));
  graph.add_output(
      *graph.add_node({.op = "Conv", .inputs = {&x, &weight}, .outputs = {"y"}}).output());
  infer_shapes(graph);
  EXPECT_EQ(shape_of(graph, "y"), "[1, 8, 6, 6]");
}

}  // namespace
}  // namespace espalier::onnx
