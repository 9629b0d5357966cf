#include "espalier/recipe/strategy_yaml.h"

#include <array>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

std::vector<StrategyConfig> strategies_of(const std::string& text) {
  return parse_strategies(parse_yaml(text, "s.yaml"), 10, Recipe{});
}

TEST(StrategyYaml, ReadsEveryStrategy) {
  const std::vector<StrategyConfig> strategies = strategies_of(R"(
- distil: {end_epoch: 4, loss: [{distil_kl: {}}]}
- freeze: {start_epoch: 5, match: ["*.mean", "*.variance"]}
- export: {end_epoch: 7, opset: 18}
- export: {file: last.onnx}
)");
  ASSERT_EQ(strategies.size(), 4U);
  EXPECT_EQ(strategies[0].span.start, 0);
  EXPECT_EQ(strategies[0].span.end, 4);
  EXPECT_EQ(std::get<DistilConfig>(strategies[0].what).losses.size(), 1U);
  EXPECT_EQ(strategies[1].span.start, 5);
  EXPECT_EQ(strategies[1].span.end, 9);
  EXPECT_EQ(std::get<FreezeConfig>(strategies[1].what).match.size(), 2U);
  EXPECT_EQ(std::get<EpochExportConfig>(strategies[2].what).file, "epoch-7.onnx");
  EXPECT_EQ(std::get<EpochExportConfig>(strategies[2].what).opset, 18);
  EXPECT_EQ(std::get<EpochExportConfig>(strategies[3].what).file, "last.onnx");
}

TEST(StrategyYaml, ReadsWhatFreezesObservedValues) {
  const auto strategies = strategies_of(
      "[{freeze_batch_norm: {start_epoch: 7}}, {freeze_quantizers: {start_epoch: 8}}]");
  EXPECT_EQ(std::get<FreezeObservedConfig>(strategies[0].what).what,
            FreezeObservedConfig::What::BatchNorm);
  EXPECT_EQ(strategies[0].span.start, 7);
  EXPECT_EQ(strategies[0].span.end, 9);
  EXPECT_EQ(std::get<FreezeObservedConfig>(strategies[1].what).what,
            FreezeObservedConfig::What::Quantizers);
}

TEST(StrategyYaml, QuantizeHasTheKeysOfItsStage) {
  const auto strategies = strategies_of(R"(
- quantize: {start_epoch: 4, end_epoch: 8, target: generic, weights: {bits: 4}, skip: ["head*"],
    quantizers: {weights: abs_max, activations: pact, batch_norm: frozen},
    verify: {max_drop: 3}, file: int8.onnx, opset: 18}
)");
  ASSERT_EQ(strategies.size(), 2U);
  EXPECT_EQ(strategies[0].span.start, 4);
  EXPECT_EQ(strategies[0].span.end, 8);
  const auto& config = std::get<TrainQuantizeConfig>(strategies[0].what);
  EXPECT_EQ(config.plan.target, "generic");
  EXPECT_EQ(config.plan.weight_bits, 4);
  EXPECT_EQ(config.plan.skip, std::vector<std::string>{"head*"});
  EXPECT_FALSE(config.quantizers.weights.per_channel);
  EXPECT_EQ(config.quantizers.activations.estimator, "pact");
  EXPECT_DOUBLE_EQ(config.verify.max_drop, 3);
  EXPECT_DOUBLE_EQ(config.verify.min_agreement, 0) << "accuracy judges a training";
  EXPECT_EQ(config.file, "int8.onnx");
  EXPECT_EQ(config.opset, 18);
  EXPECT_EQ(std::get<FreezeObservedConfig>(strategies[1].what).what,
            FreezeObservedConfig::What::BatchNorm);
  EXPECT_EQ(strategies[1].span.start, 4);
  EXPECT_EQ(strategies[1].span.end, 9) << "quantizers stay behind the end, and so does this";
  const auto plain = strategies_of("[{quantize: {end_epoch: 5}}]");
  ASSERT_EQ(plain.size(), 1U);
  EXPECT_EQ(std::get<TrainQuantizeConfig>(plain[0].what).file, "epoch-5-quantized.onnx");
}

TEST(StrategyYaml, CutsAreSpreadOverTheirEpochs) {
  const auto cuts = strategies_of(
      "[{prune: {start_epoch: 2, end_epoch: 8, iterations: 3, pruned_ratio: 0.4, criterion: fpgm, "
      "align: 8, skip: [head]}}]");
  ASSERT_EQ(cuts.size(), 3U);
  const std::array<std::pair<int, int>, 3> spans{{{2, 3}, {4, 5}, {6, 8}}};
  for (std::size_t index = 0; index < cuts.size(); ++index) {
    const auto& config = std::get<TrainPruneConfig>(cuts[index].what);
    EXPECT_EQ(cuts[index].span.start, spans[index].first);
    EXPECT_EQ(cuts[index].span.end, spans[index].second);
    EXPECT_EQ(config.step, static_cast<std::int64_t>(index) + 1);
    EXPECT_EQ(config.steps, 3);
    EXPECT_EQ(config.budget.kind, prune::BudgetKind::Filters);
    EXPECT_DOUBLE_EQ(config.budget.remaining, 0.6);
    EXPECT_EQ(config.budget.limits.align, 8);
    EXPECT_EQ(config.scores.criterion, "fpgm");
  }
}

TEST(StrategyYaml, RefusesBadStrategies) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error([&] { (void)strategies_of(text); }, message);
  };
  refused("[{freze: {}}]", "unknown strategy 'freze': s.yaml:1 (did you mean 'freeze')");
  refused("[{freeze: {start_epoch: 10, match: [a]}}]", "an integer from 0 to 9");
  refused("[{freeze: {start_epoch: 5, end_epoch: 4, match: [a]}}]", "an integer from 5 to 9");
  refused("[{freeze: {match: []}}]", "bad value of 'match'");
  refused("[{distil: {}}]", "'loss'");
  refused("[{export: {file: ../x.onnx}}]",
          "bad value of 'file': s.yaml:1: got '../x.onnx', expected a file name that ends in "
          ".onnx, without a folder");
  refused("[{export: {file: x.bin}}]", "got 'x.bin'");
  refused("[{quantize: {mode: qat}}]", "'mode'");
  refused("[{quantize: {}}, {quantize: {}}]",
          "a training can be quantized once: s.yaml:1: got a second strategy 'quantize'");
  refused("[{quantize: {activations: {bits: 1}}}]", "an integer from 2 to 16");
  refused("[{quantize: {activations: {bits: 40}}}]", "an integer from 2 to 16");
  refused("[{quantize: {quantizers: {weights: lsq_wight}}}]", "bad value of 'weights'");
  refused("[{prune: {}}]", "'prune' needs one budget: s.yaml:1: got none");
  refused("[{prune: {target_macs: 0.5, start_epoch: 8, iterations: 3}}]", "an integer from 1 to 2");
  refused("[{prune: {target_macs: 0.5}}, {prune: {target_macs: 0.4}}]",
          "a training can be pruned once");
  refused("[{prune: {target_macs: 0.5, strategy: sensitivity}}]", "strategy");
  refused("[{prune: {target_macs: 0.5, iterations: 2}}, {quantize: {start_epoch: 5}}]",
          "a cut before epoch 5, with quantizers from epoch 5 on");
  kit::expect_unsupported([] { (void)strategies_of("[{prune: {max_loss: 1}}]"); },
                          "'max_loss' inside a training");
}

TEST(StrategyYaml, ExportsEndBeforeQuantizersBegin) {
  const auto both = [](int end) {
    return "[{export: {end_epoch: " + std::to_string(end) + "}}, {quantize: {start_epoch: 4}}]";
  };
  EXPECT_EQ(strategies_of(both(3)).size(), 2U);
  kit::expect_user_error([&] { (void)strategies_of(both(4)); },
                         "'epoch-4.onnx' after epoch 4, with quantizers from epoch 4 on");
}

}  // namespace
}  // namespace espalier::recipe
