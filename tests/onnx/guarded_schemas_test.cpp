#include "espalier/onnx/guarded_schemas.h"

#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"

namespace espalier::onnx {
namespace {

std::string shape_of(const ir::Graph& graph, std::string_view name) {
  const auto& shape = graph.find_value(name)->type().shape;
  return shape ? tensor::to_string(*shape) : "none";
}

TEST(GuardedSchemas, AreTheLibrarysWithBounds) {
  const GuardedSchemas schemas;
  const auto* add = schemas.GetSchema("Add", 17, "");
  ASSERT_NE(add, nullptr);
  EXPECT_EQ(add->Name(), "Add");
  EXPECT_EQ(add->since_version(), 14);
  EXPECT_TRUE(add->has_data_propagation_function());
  EXPECT_EQ(schemas.GetSchema("Add", 17, ""), add);
  EXPECT_EQ(schemas.GetSchema("Add", 7, "")->since_version(), 7);
  EXPECT_EQ(schemas.GetSchema("Nothing", 17, ""), nullptr);
}

/// 60 000 million elements, each of which the library would write as a message of 40 bytes.
TEST(GuardedSchemas, LongVectorsTakeNoPartInShapeArithmetic) {
  const ir::Graph graph = parse(R"(agraph (float[2] x) => (float[A] y)
  <int64 zero = {0}, int64 many = {60000000000}, int64 one = {1}> {
    r = Range (zero, many, one)
    s = Add (r, r)
    f = Cast <to = 1> (s)
    m = ReduceMax <keepdims = 0> (f)
    y = Add (x, m)
  })");
  EXPECT_EQ(shape_of(graph, "s"), "[60000000000]");
  EXPECT_EQ(shape_of(graph, "y"), "[2]");
}

TEST(GuardedSchemas, InputsOfAnyLengthAreNotWrittenOut) {
  const ir::Graph graph = parse(R"(agraph (int64[60000000000] x) => (int64[A] y) {
    y = Add (x, x)
  })");
  EXPECT_EQ(shape_of(graph, "y"), "[60000000000]");
}

/// Each Concat doubles what it is given; 40 of them make 2^40 elements of a shape's two.
TEST(GuardedSchemas, DoublingVectorsEndsAtTheLimit) {
  std::string nodes = "c0 = Shape (x)\n";
  for (int step = 0; step < 30; ++step) {
    nodes += fmt::format("c{} = Concat <axis = 0> (c{}, c{})\n", step + 1, step, step);
  }
  const ir::Graph graph =
      parse("agraph (float[N, 3] x) => (int64[A] y) {\n" + nodes + "y = Identity (c30)\n}");
  EXPECT_EQ(shape_of(graph, "c11"), "[4096]");
  EXPECT_EQ(shape_of(graph, "y"), "[2147483648]");
}

TEST(GuardedSchemas, ShapeArithmeticStillWorksBelowTheLimit) {
  const ir::Graph graph = parse(R"(agraph (float[N, 6] x) => (float[A, B, C] y)
  <int64[1] front = {0}, int64[1] next = {1}, int64[1] two = {2}> {
    s = Shape (x)
    n = Slice (s, front, next)
    target = Concat <axis = 0> (n, two, two)
    c = ConstantOfShape (target)
    y = Relu (c)
  })");
  EXPECT_EQ(shape_of(graph, "c"), "[N, 2, 2]");
}

TEST(GuardedSchemas, RanksAreBounded) {
  std::string axes = "0";
  for (int axis = 1; axis < 40; ++axis) axes += fmt::format(", {}", axis);
  kit::expect_user_error(
      [&] {
        (void)parse("agraph (float[2] x) => (float y) <int64[40] a = {" + axes + "}> {\n" +
                    "u = Unsqueeze (x, a)\n[deep] v = Unsqueeze (u, a)\n" +
                    "y = ReduceMax <keepdims = 0> (v)\n}");
      },
      "node 'deep' (Unsqueeze): got a result of 81 dimensions; expected at most 64");
}

}  // namespace
}  // namespace espalier::onnx
