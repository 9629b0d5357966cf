#include "espalier/recipe/strategy_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

std::vector<StrategyConfig> parse(const std::string& text) {
  return parse_strategies(parse_yaml(text, "s.yaml"), 10, Recipe{});
}

TEST(StrategyYaml, ReadsEveryStrategy) {
  const std::vector<StrategyConfig> strategies = parse(R"(
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

TEST(StrategyYaml, RefusesBadStrategies) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error([&] { (void)parse(text); }, message);
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
  kit::expect_unsupported([] { (void)parse("[{quantize: {mode: qat}}]"); },
                          "strategy 'quantize' inside a training is not supported");
}

}  // namespace
}  // namespace espalier::recipe
