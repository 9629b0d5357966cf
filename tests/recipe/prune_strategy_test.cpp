#include "espalier/recipe/prune_strategy.h"

#include <cmath>
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "espalier/analysis/cost.h"
#include "espalier/onnx/codec.h"
#include "espalier/recipe/run.h"
#include "espalier/train/checkpoint.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/strategy_run.h"

namespace espalier::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

Recipe pruning_recipe(const std::string& strategies, const std::string& optimizer = "adam: {}") {
  return strategy_recipe(strategies, "optimizer: {" + optimizer + "}, ema: {decay: 0.9},");
}

train::Checkpoint after(const fs::path& run, std::int64_t step) {
  return train::read_checkpoint(run / fmt::format("checkpoints/stage-0/step-{:08}.espalier", step));
}

std::int64_t macs_of(const ir::Graph& graph) {
  return analysis::cost_table(graph).macs;
}

/// Shapes of all state tensors are those of their parameters, but for counts.
void expect_state_fits(const train::Checkpoint& checkpoint) {
  std::size_t shaped = 0;
  for (const auto& [slot, state] : checkpoint.slots) {
    if (slot.starts_with("updates/")) continue;
    const std::string parameter = slot.substr(slot.find('/') + 1);
    EXPECT_EQ(state.sizes(), checkpoint.graph.find_value(parameter)->constant().sizes()) << slot;
    ++shaped;
  }
  EXPECT_GT(shaped, 20U);
}

TEST(PruneStrategy, CutsInTheMiddleAndTheStateFollows) {
  const kit::TemporaryFolder folder;
  const fs::path run = folder.file("run");
  const report::Json report =
      run_recipe(
          pruning_recipe("{prune: {start_epoch: 1, target_macs: 0.4, iterations: 2, align: 2, "
                         "check: true}}"),
          quiet_run(run))
          .report;
  const double whole = static_cast<double>(macs_of(after(run, 3).graph));
  // Cuts before epochs 1 and 2 (of 1 to 3), by equal factors.
  EXPECT_NEAR(static_cast<double>(macs_of(after(run, 4).graph)) / whole, std::sqrt(0.4), 0.04);
  EXPECT_NEAR(static_cast<double>(macs_of(after(run, 12).graph)) / whole, 0.4, 0.04);
  EXPECT_LE(static_cast<double>(macs_of(after(run, 12).graph)) / whole, 0.4);
  for (const std::int64_t step : {4, 8, 12}) expect_state_fits(after(run, step));
  // State goes on: Adam's counts do not start again.
  const train::Checkpoint last = after(run, 12);
  EXPECT_EQ(last.slots.at("updates/" + last.graph.initializers().front()->name()).item<double>(),
            12);
  EXPECT_EQ(macs_of(onnx::load(run / "model.onnx")), macs_of(last.graph));
  EXPECT_THAT(folder.read("run/prune_plan-epoch-1.yaml"), HasSubstr("cuts:"));
  EXPECT_THAT(folder.read("run/prune_plan-epoch-2.yaml"), HasSubstr("cuts:"));
  EXPECT_EQ(report.at("training").at("cut").at("after").at("macs").as_integer(),
            macs_of(last.graph));
  EXPECT_THAT(folder.read("run/log.txt"), HasSubstr("epoch 2: prune to 63.2 % of the macs"));
  EXPECT_THAT(folder.read("run/log.txt"), HasSubstr("of the macs of the stage's model remain"));
  EXPECT_THAT(folder.read("run/log.txt"), HasSubstr("the cut is proven: "));
}

TEST(PruneStrategy, ResumesToTheSameBytes) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = pruning_recipe(
      "{prune: {start_epoch: 1, end_epoch: 2, target_macs: 0.4, iterations: 2, align: 1, "
      "criterion: taylor}}",
      "sgd: {}");
  static_cast<void>(run_recipe(recipe, quiet_run(folder.file("whole"))));
  for (const std::int64_t step : {2, 3, 5, 6, 10}) {
    const std::string name = fmt::format("broken-{}", step);
    const fs::path broken = folder.file(name);
    fs::copy(folder.file("whole"), broken, fs::copy_options::recursive);
    kill_after(broken, step);
    static_cast<void>(run_recipe(recipe, quiet_run(broken, true)));
    for (const char* file : {"model.onnx", "checkpoints/stage-0.espalier",
                             "checkpoints/stage-0/step-00000012.espalier"}) {
      EXPECT_EQ(folder.read(name + "/" + file), folder.read(std::string("whole/") + file))
          << "killed after step " << step << ": " << file;
    }
  }
}

TEST(PruneStrategy, WhatCannotBeCutIsRefusedBeforeTheFirstStep) {
  const kit::TemporaryFolder folder;
  const auto refused = [&](const std::string& keys, std::string_view message) {
    kit::expect_user_error(
        [&] {
          static_cast<void>(run_recipe(pruning_recipe("{prune: {start_epoch: 3, " + keys + "}}"),
                                       quiet_run(folder.file("run"))));
        },
        message);
    EXPECT_FALSE(fs::exists(folder.file("run/checkpoints")));
  };
  refused("target_macs: 0.01, max_removed: 0.5, align: 1",
          "the budget of a strategy 'prune' cannot be met: epoch 3: got asked to keep at most 1.0 "
          "% of the macs, reached");
  refused("target_macs: 0.5, skip: [nothing]", "matches nothing: got 'nothing'");
}

TEST(PruneStrategy, QuantizersComeBehindTheCut) {
  const kit::TemporaryFolder folder;
  const fs::path run = folder.file("run");
  static_cast<void>(run_recipe(
      pruning_recipe(
          "{prune: {start_epoch: 1, target_macs: 0.5, align: 4}}, {quantize: {start_epoch: "
          "2, verify: {latency_rounds: 0, samples: 8, engines: []}}}"),
      quiet_run(run)));
  EXPECT_LE(static_cast<double>(macs_of(onnx::load(run / "float.onnx"))),
            0.5 * static_cast<double>(macs_of(after(run, 3).graph)));
  expect_state_fits(after(run, 12));
  EXPECT_THAT(onnx::encode(onnx::load(run / "model.onnx")), HasSubstr("QuantizeLinear"));
}

}  // namespace
}  // namespace espalier::recipe
