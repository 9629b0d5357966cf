#include "espalier/deploy/operator_model.h"

#include <gmock/gmock.h>

#include "espalier/ir/verifier.h"
#include "espalier/onnx/text.h"
#include "tests/deploy/small_models.h"

namespace espalier::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> names(const std::vector<OperatorModel>& models) {
  std::vector<std::string> result;
  for (const OperatorModel& model : models) result.push_back(model.name);
  return result;
}

TEST(CutOperators, GivesOneModelAnOperator) {
  const auto models = cut_operators(quantized_net());
  EXPECT_THAT(names(models), ElementsAre("conv1", "conv2", "pool", "flatten", "fc"));
  EXPECT_EQ(models[0].op, "Conv");
  EXPECT_THAT(models[0].inputs, ElementsAre("input.codes"));
  EXPECT_EQ(models[0].output, "first.codes");
  for (const OperatorModel& model : models) EXPECT_THAT(ir::verify(model.graph), IsEmpty());
}

TEST(CutOperators, KeepsTheActivationAndLeavesTheRestOut) {
  const auto models = cut_operators(quantized_net());
  EXPECT_NE(models[0].graph.find_node("relu1"), nullptr);
  EXPECT_EQ(models[0].graph.find_node("conv2"), nullptr);
  EXPECT_EQ(models[0].graph.find_node("q_input"), nullptr);
}

TEST(CutOperators, TakesBothInputsOfAnAddition) {
  const ir::Graph graph = onnx::parse(R"(
    net (uint8[1, 4] a, uint8[1, 4] b) => (uint8[1, 4] y)
      <float s = {0.5}, uint8 z = {0}>
    {
      fa = DequantizeLinear (a, s, z)
      fb = DequantizeLinear (b, s, z)
      sum = Add (fa, fb)
      y = QuantizeLinear (sum, s, z)
    })");
  const auto models = cut_operators(graph);
  ASSERT_EQ(models.size(), 1U);
  EXPECT_EQ(models[0].op, "Add");
  EXPECT_THAT(models[0].inputs, ::testing::UnorderedElementsAre("a", "b"));
}

TEST(CutOperators, LeavesOutWhatReadsFloats) {
  const ir::Graph graph = onnx::parse(R"(
    net (uint8[1, 4] a, float[1, 4] b) => (uint8[1, 4] y)
      <float s = {0.5}, uint8 z = {0}>
    {
      fa = DequantizeLinear (a, s, z)
      sum = Add (fa, b)
      y = QuantizeLinear (sum, s, z)
    })");
  EXPECT_THAT(cut_operators(graph), IsEmpty());
}

}  // namespace
}  // namespace espalier::deploy
