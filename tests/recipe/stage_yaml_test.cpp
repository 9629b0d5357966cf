#include "espalier/recipe/stage_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

TrainStage train_stage(const std::string& text) {
  return parse_train_stage(parse_yaml(text, "s.yaml"), Recipe{.seed = 4});
}

TEST(StageYaml, ReadsTraining) {
  const TrainStage stage = train_stage(R"(
epochs: 8
optimizer: {sgd: {momentum: 0.8, nesterov: true, weight_decay: 1.0e-4, decay_norms: false}}
schedule: {polynomial: {lr: 0.2, power: 2, warmup_steps: 10}}
loss: [{cross_entropy: {smoothing: 0.1}}]
)");
  EXPECT_EQ(stage.options.epochs, 8);
  EXPECT_EQ(stage.options.seed, 4U);
  const auto& sgd = std::get<train::SgdOptions>(stage.options.optimizer);
  EXPECT_DOUBLE_EQ(sgd.momentum, 0.8);
  EXPECT_TRUE(sgd.nesterov);
  EXPECT_DOUBLE_EQ(stage.options.groups.weight_decay, 1e-4);
  EXPECT_FALSE(stage.options.groups.decay_norms);
  EXPECT_TRUE(stage.options.groups.decay_biases);
  const auto& shape = std::get<train::PolynomialSchedule>(stage.options.schedule.shape);
  EXPECT_DOUBLE_EQ(shape.power, 2);
  EXPECT_EQ(stage.options.schedule.warm_up.steps, 10);
  EXPECT_DOUBLE_EQ(stage.smoothing, 0.1);
}

TEST(StageYaml, ReadsEverySchedule) {
  EXPECT_TRUE(std::holds_alternative<train::ConstantSchedule>(
      train_stage("schedule: {constant: {lr: 1}}").options.schedule.shape));
  EXPECT_TRUE(std::holds_alternative<train::CosineSchedule>(
      train_stage("schedule: {cosine: {lr: 1}}").options.schedule.shape));
  EXPECT_TRUE(std::holds_alternative<train::StepSchedule>(
      train_stage("schedule: {step: {lr: 1}}").options.schedule.shape));
  const TrainStage stage =
      train_stage("schedule: {piecewise: {boundaries: [1, 2], values: [3, 2, 1]}}");
  EXPECT_EQ(std::get<train::PiecewiseSchedule>(stage.options.schedule.shape).values.size(), 3U);
}

TEST(StageYaml, RefusesBadTraining) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error([&] { (void)train_stage(text); }, message);
  };
  refused("optimizer: {sdg: {}}", "unknown optimizer 'sdg': s.yaml:1 (did you mean 'sgd')");
  refused("schedule: {cosin: {}}", "did you mean 'cosine'");
  refused("optimizer: sgd", "a map with one entry");
  refused("loss: [{mse: {}}]", "unknown loss 'mse'");
  refused("epochs: 0", "an integer from 1");
  refused("schedule: {cosine: {power: 2}}", "unknown key 'power' in schedule 'cosine'");
}

TEST(StageYaml, ReadsQuantization) {
  const QuantizeStage stage = parse_quantize_stage(parse_yaml(R"(
target: tensorrt
method: kl
activations: {bits: 8, symmetric: true}
weights: {bits: 4, per_channel: false, method: abs_max}
skip: ["head/*", Gemm]
quantize_last: false
bias_correction: false
verify: {max_drop: 1.5, allow_slower: true, engines: [openvino]}
)",
                                                              "s.yaml"));
  EXPECT_EQ(stage.plan.target, "tensorrt");
  EXPECT_EQ(stage.plan.method, "kl");
  EXPECT_EQ(stage.plan.symmetric, std::optional<bool>(true));
  EXPECT_EQ(stage.plan.per_channel, std::optional<bool>(false));
  EXPECT_EQ(stage.plan.weight_bits, 4);
  EXPECT_EQ(stage.plan.weight_method, "abs_max");
  EXPECT_EQ(stage.plan.skip, (std::vector<std::string>{"head/*", "Gemm"}));
  EXPECT_FALSE(stage.plan.quantize_last);
  EXPECT_FALSE(stage.bias_correction);
  EXPECT_DOUBLE_EQ(stage.verify.max_drop, 1.5);
  EXPECT_TRUE(stage.verify.allow_slower);
  EXPECT_EQ(stage.verify.engines, std::vector<std::string>{"openvino"});
}

TEST(StageYaml, RefusesBadQuantization) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error([&] { (void)parse_quantize_stage(parse_yaml(text, "s.yaml")); },
                           message);
  };
  refused("target: x68", "x86");
  refused("weights: {bits: 40}", "an integer from 2 to 8");
  refused("weights: {bits: 1}", "an integer from 2 to 8");
  refused("verify: {max_dorp: 1}", "did you mean 'max_drop'");
}

TEST(StageYaml, ReadsExport) {
  EXPECT_EQ(parse_export_stage(YamlValue{}).opset, 17);
  kit::expect_user_error([] { (void)parse_export_stage(parse_yaml("opset: 7", "s.yaml")); },
                         "from 13 to 23");
}

}  // namespace
}  // namespace espalier::recipe
