#include "espalier/recipe/train_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

TrainStage train_stage(const std::string& text) {
  return parse_train_stage(parse_yaml(text, "s.yaml"), Recipe{.seed = 4});
}

TEST(TrainYaml, ReadsTraining) {
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
  ASSERT_EQ(stage.losses.size(), 1U);
  EXPECT_DOUBLE_EQ(stage.losses[0].smoothing, 0.1);
}

TEST(TrainYaml, ReadsEverySchedule) {
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

TEST(TrainYaml, RefusesBadTraining) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error([&] { (void)train_stage(text); }, message);
  };
  refused("optimizer: {sdg: {}}", "unknown optimizer 'sdg': s.yaml:1 (did you mean 'sgd')");
  refused("schedule: {cosin: {}}", "did you mean 'cosine'");
  refused("optimizer: sgd", "a map with one entry");
  refused("loss: [{mse: {}}]", "unknown loss 'mse'");
  refused("epochs: 0", "an integer from 1");
  refused("clip: {norm: 1}", "unknown clip 'norm'");
  refused("clip: {value: 0}", "got '0'");
  refused("ema: {decay: 1}", "got '1'");
  refused("optimizer: {adam: {beta3: 1}}", "unknown key 'beta3' in optimizer 'adam'");
  refused("optimizer: {sgd: {groups: [{lr_scale: 1}]}}", "'match'");
  refused("teacher: self", "'teacher' is of no use: no term of 'loss' has one: s.yaml:1");
  refused("schedule: {cosine: {power: 2}}", "unknown key 'power' in schedule 'cosine'");
}

TEST(TrainYaml, ReadsEveryOptimizer) {
  const TrainStage stage = train_stage(R"(
optimizer:
  adamw:
    beta1: 0.8
    weight_decay: 0.05
    quantizer_lr_scale: 0.1
    groups: [{match: "*.bias", lr_scale: 2}, {match: "head.*", weight_decay: 0}]
)");
  const auto& adam = std::get<train::AdamOptions>(stage.options.optimizer);
  EXPECT_TRUE(adam.decoupled_decay);
  EXPECT_DOUBLE_EQ(adam.beta1, 0.8);
  EXPECT_DOUBLE_EQ(adam.beta2, 0.999);
  const train::GroupOptions& groups = stage.options.groups;
  EXPECT_DOUBLE_EQ(groups.weight_decay, 0.05);
  EXPECT_DOUBLE_EQ(groups.quantizer_lr_scale, 0.1);
  ASSERT_EQ(groups.rules.size(), 2U);
  EXPECT_EQ(groups.rules[0].pattern, "*.bias");
  EXPECT_EQ(groups.rules[0].lr_scale, std::optional(2.0));
  EXPECT_EQ(groups.rules[0].weight_decay, std::nullopt);
  EXPECT_EQ(groups.rules[1].weight_decay, std::optional(0.0));
  EXPECT_FALSE(std::get<train::AdamOptions>(train_stage("optimizer: {adam: {}}").options.optimizer)
                   .decoupled_decay);
}

TEST(TrainYaml, ReadsSparsity) {
  EXPECT_EQ(train_stage("{sparsity: {bn_scale: 1e-4}}").options.sparsity.bn_scale, 1e-4);
  EXPECT_EQ(train_stage("{}").options.sparsity.bn_scale, 0);
  kit::expect_user_error([] { (void)train_stage("{sparsity: {bn_scale: -1}}"); }, "bn_scale");
  kit::expect_user_error([] { (void)train_stage("{sparsity: {gamma: 1}}"); }, "gamma");
}

TEST(TrainYaml, ReadsClippingAverageTeacherAndStrategies) {
  const TrainStage stage = train_stage(R"(
epochs: 4
clip: {global_norm: 2.5}
ema: {decay: 0.99, warm_up: false}
teacher: self
loss: [{cross_entropy: }, {distil_kl: {temperature: 2}}]
strategies: [{freeze: {start_epoch: 1, match: ["*.mean"]}}]
)");
  EXPECT_EQ(stage.options.clip.kind, train::ClipOptions::Kind::GlobalNorm);
  EXPECT_DOUBLE_EQ(stage.options.clip.limit, 2.5);
  EXPECT_DOUBLE_EQ(stage.options.ema.decay, 0.99);
  EXPECT_FALSE(stage.options.ema.warm_up);
  EXPECT_EQ(stage.losses.size(), 2U);
  EXPECT_FALSE(stage.teacher.has_value());
  ASSERT_EQ(stage.strategies.size(), 1U);
  EXPECT_EQ(stage.strategies[0].span.end, 3);
  EXPECT_EQ(train_stage("clip: {value: 0.5}").options.clip.kind, train::ClipOptions::Kind::Value);
}

}  // namespace
}  // namespace espalier::recipe
