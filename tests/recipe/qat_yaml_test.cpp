#include "espalier/recipe/qat_yaml.h"

#include <gtest/gtest.h>

#include "espalier/recipe/stage_yaml.h"
#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

QuantizeStage stage_of(const std::string& text) {
  return parse_quantize_stage(parse_yaml(text, "s.yaml"), Recipe{.seed = 4});
}

TEST(QatYaml, ReadsTrainingAndQuantizers) {
  const QuantizeStage stage = stage_of(R"(
mode: qat
train: {epochs: 3, schedule: {constant: {lr: 0.01}}}
quantizers:
  weights: channel_wise_lsq_weight
  activations: moving_average_abs_max
  moving_rate: 0.99
  window_size: 50
  batch_norm: folded
  rules: [{match: "conv1*", activations: range_abs_max}, {match: head, weights: abs_max}]
)");
  ASSERT_TRUE(stage.qat);
  EXPECT_EQ(stage.qat->train.options.epochs, 3);
  EXPECT_EQ(stage.qat->train.options.seed, 4U);
  const passes::TrainingQuantizers& quantizers = stage.qat->quantizers;
  EXPECT_EQ(quantizers.weights.estimator, "lsq");
  EXPECT_TRUE(quantizers.weights.per_channel);
  EXPECT_EQ(quantizers.activations.estimator, "moving_average_abs_max");
  EXPECT_FLOAT_EQ(quantizers.rate, 0.99F);
  EXPECT_EQ(quantizers.window, 50);
  EXPECT_EQ(quantizers.batch_norm, passes::BatchNormForm::Folded);
  ASSERT_EQ(quantizers.rules.size(), 2U);
  EXPECT_EQ(quantizers.rules[0].pattern, "conv1*");
  EXPECT_FALSE(quantizers.rules[0].weights) << "what a rule leaves open is for others";
  EXPECT_EQ(quantizers.rules[0].activations->estimator, "range_abs_max");
  EXPECT_EQ(quantizers.rules[1].weights->estimator, "abs_max");
  EXPECT_FALSE(quantizers.rules[1].weights->per_channel);
  EXPECT_EQ(stage.verify.min_agreement, 0) << "training changes predictions";
}

TEST(QatYaml, TheMethodOfWeightsNeedsAQuantizerThatKeepsItsStart) {
  const std::string stage = "mode: qat\ntrain: {epochs: 1}\nweights: {method: mse}\n";
  const std::string_view message = "'method' of weights is used by no quantizer: s.yaml:3";
  kit::expect_user_error([&] { (void)stage_of(stage); }, message);
  kit::expect_user_error([&] { (void)stage_of(stage + "quantizers: {weights: abs_max}\n"); },
                         message);
  EXPECT_NO_THROW((void)stage_of(stage + "quantizers: {weights: lsq_weight}\n"));
  EXPECT_NO_THROW((void)stage_of(
      stage + "quantizers: {rules: [{match: head, weights: channel_wise_lsq_weight}]}\n"));
}

TEST(QatYaml, AQuietScheduleFineTunes) {
  const auto stage = stage_of("mode: qat\ntrain: {epochs: 1}\n");
  const auto& shape = stage.qat->train.options.schedule.shape;
  EXPECT_DOUBLE_EQ(std::get<train::CosineSchedule>(shape).lr, 0.001);
}

TEST(QatYaml, FrozenBatchNormIsAStrategyOfAllEpochs) {
  const auto stage = stage_of("mode: qat\ntrain: {epochs: 3}\nquantizers: {batch_norm: frozen}\n");
  EXPECT_EQ(stage.qat->quantizers.batch_norm, passes::BatchNormForm::Live);
  ASSERT_EQ(stage.qat->train.strategies.size(), 1U);
  const StrategyConfig& strategy = stage.qat->train.strategies[0];
  EXPECT_EQ(strategy.span.start, 0);
  EXPECT_EQ(strategy.span.end, 2);
  EXPECT_EQ(std::get<FreezeObservedConfig>(strategy.what).what,
            FreezeObservedConfig::What::BatchNorm);
  EXPECT_FALSE(stage.qat->reestimate_batch_norm);
}

TEST(QatYaml, ReadsReestimation) {
  const auto stage =
      stage_of("mode: qat\ntrain: {epochs: 3}\nquantizers: {batch_norm: re_estimated}\n");
  EXPECT_TRUE(stage.qat->reestimate_batch_norm);
  EXPECT_TRUE(stage.qat->train.strategies.empty());
}

TEST(QatYaml, AbsMaxOfActivationsExportsTheCalibratedMaximum) {
  const auto method = [](const std::string& keys) {
    return stage_of("mode: qat\ntrain: {epochs: 1}\n" + keys).plan.method;
  };
  EXPECT_EQ(method("quantizers: {activations: abs_max}\n"), "min_max");
  EXPECT_EQ(method("quantizers: {activations: moving_average_abs_max}\n"), "auto");
  EXPECT_EQ(method("quantizers: {activations: abs_max}\nmethod: kl\n"), "kl");
  EXPECT_EQ(method("quantizers: {activations: abs_max}\nactivations: {method: auto}\n"), "auto");
}

TEST(QatYaml, RefusesBadKeys) {
  const auto refused = [](const std::string& keys, std::string_view message) {
    kit::expect_user_error([&] { (void)stage_of("mode: qat\n" + keys); }, message);
  };
  refused("", "train");
  refused("train: {epoch: 1}", "did you mean 'epochs'");
  refused("train: {}\nrounding: true", "unknown key 'rounding'");
  refused("train: {}\nquantizers: {weights: pact}", "bad value of 'weights'");
  refused("train: {}\nquantizers: {activations: moving_average}", "s.yaml:3");
  refused("train: {}\nquantizers: {batch_norm: none}", "batch_norm");
  refused("train: {}\nquantizers: {window_size: 1000000000}", "1000000");
  refused("train: {}\nquantizers: {window_size: 9}", "'window_size' is used by no quantizer");
  refused("train: {}\nquantizers: {activations: pact, moving_rate: 0.9}",
          "got activations: pact, expected a quantizer moving_average*");
  refused("train: {epochs: 2, strategies: [{quantize: {}}]}",
          "a stage 'quantize' cannot hold a strategy 'quantize'");
  refused("train: {epochs: 2, strategies: [{export: {end_epoch: 0}}]}",
          "a stage 'quantize' cannot hold a strategy 'export'");
  refused("train: {}\nquantizers: {rules: [{match: conv*}]}",
          "an entry of 'rules' chooses nothing");
  refused("train: {}\nweights: {per_channel: false}\nquantizers: {weights: channel_wise_abs_max}",
          "the quantizer of weights contradicts 'per_channel'");
  refused(
      "train: {}\nweights: {per_channel: false}\nquantizers: {weights: abs_max, rules: "
      "[{match: c, weights: channel_wise_abs_max}]}",
      "the quantizer of weights contradicts 'per_channel'");
  refused("train: {}\nweights: {per_channel: true}\nquantizers: {weights: abs_max}",
          "per_channel: true");
  kit::expect_unsupported(
      [] {
        (void)stage_of("mode: qat\ntrain: {epochs: 2, strategies: [{prune: {target_macs: 0.5}}]}");
      },
      "a stage 'quantize' cannot hold a strategy 'prune'");
  kit::expect_user_error([] { (void)stage_of("train: {epochs: 1}"); }, "unknown key 'train'");
}

}  // namespace
}  // namespace espalier::recipe
