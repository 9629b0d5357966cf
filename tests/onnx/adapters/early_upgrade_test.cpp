#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

TEST(EarlyUpgrade, BroadcastAlignsAtTheAxis) {
  const ir::Graph graph = read(R"(agraph (float[2, 3, 2, 2] x) => (float[2, 3, 2, 2] y)
    <float[3] b = {1, 2, 3}> { y = Add <broadcast = 1, axis = 1> (x, b) })",
                               6);
  EXPECT_EQ(operators(graph), "Unsqueeze Add");
  const Tensor input = kit::random_tensor({2, 3, 2, 2}, 3);
  const Tensor expected = input + kit::tensor_of({1, 2, 3}, {1, 3, 1, 1});
  EXPECT_THAT(exec::Program::compile(graph, {}).run(std::vector<Tensor>{input}).front(),
              kit::IsCloseTo(expected));
}

TEST(EarlyUpgrade, BroadcastAtTheEndNeedsNothing) {
  const ir::Graph graph = read(R"(agraph (float[2, 3] x) => (float[2, 3] y)
    <float[3] b = {1, 2, 3}> { y = Mul <broadcast = 1> (x, b) })",
                               6);
  EXPECT_EQ(operators(graph), "Mul");
  EXPECT_FALSE(only(graph, "Mul").has("broadcast"));
}

TEST(EarlyUpgrade, BroadcastOutsideIsRefused) {
  kit::expect_unsupported(
      [] {
        static_cast<void>(read(R"(agraph (float[2, 3] x) => (float[A, B] y)
          <float[3] b = {1, 2, 3}> { y = Mul <broadcast = 1, axis = 2> (x, b) })",
                               6));
      },
      "(Mul)");
}

TEST(EarlyUpgrade, TestFormsLoseTheirMark) {
  const ir::Graph graph = read(R"(agraph (float[1, 2, 4, 4] x) => (float[1, 2, 4, 4] y)
    <float[2] s = {1, 1}, float[2] b = {0, 0}, float[2] m = {0, 0}, float[2] v = {1, 1}> {
    n = BatchNormalization <is_test = 1> (x, s, b, m, v)
    y = Dropout <is_test = 1, ratio = 0.5> (n) })",
                               6);
  EXPECT_FALSE(only(graph, "BatchNormalization").has("is_test"));
  EXPECT_FALSE(only(graph, "Dropout").has("is_test"));
  kit::expect_unsupported(
      [] {
        static_cast<void>(
            read("agraph (float[2] x) => (float[2] y) { y = Dropout <is_test = 0> (x) }", 6));
      },
      "its training form (is_test 0)");
}

TEST(EarlyUpgrade, OldAttributesBecomeWhatTheyAreNow) {
  const ir::Graph graph = read(R"(agraph (float[2, 6] x) => (float[A, B, C] y) {
    r = Relu <consumed_inputs = [0]> (x)
    c = Concat (r, r)
    y = Reshape <shape = [2, 3, 4]> (c) })",
                               1);
  EXPECT_EQ(only(graph, "Concat").get_int("axis", -1), 1);
  EXPECT_EQ(ints_of(only(graph, "Reshape").input(1)), (ir::Ints{2, 3, 4}));
  EXPECT_FALSE(only(graph, "Relu").has("consumed_inputs"));
}

TEST(EarlyUpgrade, CastTypesAreNumbers) {
  const ir::Graph graph =
      read("agraph (float[2] x) => (int32[2] y) { y = Cast <to = \"INT32\"> (x) }", 5);
  EXPECT_EQ(only(graph, "Cast").get_int("to"), 6);
  kit::expect_unsupported(
      [] {
        static_cast<void>(
            read("agraph (float[2] x) => (int32[2] y) { y = Cast <to = \"COMPLEX\"> (x) }", 5));
      },
      "the type 'COMPLEX'");
}

}  // namespace
}  // namespace espalier::onnx
