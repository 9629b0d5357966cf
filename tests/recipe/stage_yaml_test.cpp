#include "espalier/recipe/stage_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

TEST(StageYaml, ReadsQuantization) {
  const QuantizeStage stage = parse_quantize_stage(parse_yaml(R"(
target: tensorrt
method: kl
activations: {bits: 8, symmetric: true}
weights: {bits: 4, per_channel: false, method: abs_max}
skip: ["head/*", Gemm]
bits: [{match: "conv1*", weights: 8, activations: 6}, {match: Gemm, weights: 3}]
quantize_last: false
bias_correction: false
verify: {max_drop: 1.5, allow_slower: true, engines: [openvino]}
)",
                                                              "s.yaml"),
                                                   Recipe{});
  EXPECT_EQ(stage.plan.target, "tensorrt");
  EXPECT_EQ(stage.plan.method, "kl");
  EXPECT_EQ(stage.plan.symmetric, std::optional<bool>(true));
  EXPECT_EQ(stage.plan.per_channel, std::optional<bool>(false));
  EXPECT_EQ(stage.plan.weight_bits, 4);
  EXPECT_EQ(stage.plan.weight_method, "abs_max");
  EXPECT_EQ(stage.plan.skip, (std::vector<std::string>{"head/*", "Gemm"}));
  ASSERT_EQ(stage.plan.bits.size(), 2U);
  EXPECT_EQ(stage.plan.bits[0].pattern, "conv1*");
  EXPECT_EQ(stage.plan.bits[0].weights, std::optional<int>(8));
  EXPECT_EQ(stage.plan.bits[0].activations, std::optional<int>(6));
  EXPECT_EQ(stage.plan.bits[1].weights, std::optional<int>(3));
  EXPECT_EQ(stage.plan.bits[1].activations, std::nullopt);
  EXPECT_FALSE(stage.plan.quantize_last);
  EXPECT_FALSE(stage.bias_correction);
  EXPECT_DOUBLE_EQ(stage.verify.max_drop, 1.5);
  EXPECT_TRUE(stage.verify.allow_slower);
  EXPECT_EQ(stage.verify.engines, std::vector<std::string>{"openvino"});
}

TEST(StageYaml, RefusesBadQuantization) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error(
        [&] { (void)parse_quantize_stage(parse_yaml(text, "s.yaml"), Recipe{}); }, message);
  };
  refused("target: x68", "x86");
  refused("weights: {bits: 40}", "an integer from 2 to 16");
  refused("weights: {bits: 1}", "an integer from 2 to 16");
  refused("bits: [{weights: 4}]", "match");
  refused("bits: {match: conv1, weights: 8}",
          "bad value of 'bits': s.yaml:1: got a map, expected a list of maps");
  refused("bits: [{match: a}]", "a rule of 'bits' says nothing: s.yaml:1");
  refused("bits: [{match: a, weights: 17}]", "an integer from 2 to 16");
  refused("method: msee", "did you mean 'mse'");
  refused("weights: {method: best}", "unknown weight method: got 'best'");
  refused("verify: {engines: [onnxrutime]}", "did you mean 'onnxruntime'");
  refused("verify: {max_dorp: 1}", "did you mean 'max_drop'");
}

TEST(StageYaml, ReadsExport) {
  EXPECT_EQ(parse_export_stage(YamlValue{}).opset, 17);
  kit::expect_user_error([] { (void)parse_export_stage(parse_yaml("opset: 7", "s.yaml")); },
                         "from 13 to 23");
}

}  // namespace
}  // namespace espalier::recipe
