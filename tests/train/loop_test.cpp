#include "espalier/train/loop.h"

#include <stdexcept>

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include "espalier/train/checkpoint_folder.h"
#include "espalier/zoo/builder.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t kSteps = 12;  // 3 epochs of 4

/// Stands for a process that dies: nothing of the run's memory survives it.
struct Death : std::runtime_error {
  Death() : std::runtime_error("died") {}
};

SyntheticRun into(const kit::TemporaryFolder& folder) {
  SyntheticRun run;
  run.options.checkpoints.folder = folder.path();
  run.options.checkpoints.every_steps = 3;
  return run;
}

std::string final_bytes(const kit::TemporaryFolder& folder) {
  return folder.read("step-00000012.espalier");
}

TEST(Train, LearnsTheTask) {
  SyntheticRun run;
  run.options.epochs = 12;
  run.data.batches = 8;
  const TrainResult result = run();
  const std::vector<EpochRecord>& history = result.state.history;
  ASSERT_EQ(history.size(), 12U);
  EXPECT_LT(history.back().training.at("loss"), 0.7 * history.front().training.at("loss"));
  EXPECT_GT(history.back().evaluation.at("top1"), 0.7);
  EXPECT_EQ(result.state.step, 96);
  EXPECT_EQ(result.state.best_metric, "top1");
  double best = 0;
  for (const EpochRecord& record : history) best = std::max(best, record.evaluation.at("top1"));
  EXPECT_EQ(result.state.best_value, best);
  EXPECT_FALSE(result.resumed_at.has_value());
}

TEST(Train, TwiceGivesTheSameBytes) {
  const kit::TemporaryFolder first;
  const kit::TemporaryFolder second;
  into(first)();
  into(second)();
  EXPECT_THAT(first.files(),
              ElementsAre("best.espalier", "step-00000009.espalier", "step-00000012.espalier"));
  for (const std::string& name : first.files()) EXPECT_EQ(first.read(name), second.read(name));
  SyntheticRun other = into(second);
  other.options.seed = 6;
  other();
  EXPECT_NE(final_bytes(first), final_bytes(second)) << "the seed decides what Dropout draws";
}

TEST(Train, ResumesBitForBitFromAnyStep) {
  const kit::TemporaryFolder whole;
  into(whole)();
  for (std::int64_t death = 1; death <= kSteps; ++death) {
    const kit::TemporaryFolder folder;
    SyntheticRun first = into(folder);
    first.callbacks.on_step = [&](const StepReport& report) {
      if (report.step == death) throw Death();
    };
    EXPECT_THROW(first(), Death);
    SyntheticRun second = into(folder);
    second.options.checkpoints.resume = true;
    const TrainResult result = second();
    // The step's own file is written after its callback.
    const std::int64_t last = (death - 1) / 3 * 3;
    const std::int64_t epoch_end = (death - 1) / 4 * 4;
    const std::int64_t expected = std::max(last, epoch_end);
    EXPECT_EQ(result.resumed_at, expected) << "death at step " << death;
    EXPECT_EQ(final_bytes(folder), final_bytes(whole)) << "death at step " << death;
    EXPECT_EQ(folder.read("best.espalier"), whole.read("best.espalier"));
  }
}

TEST(Train, ARunThatStartsAnewIsNotMistakenForAnOlderOne) {
  const kit::TemporaryFolder folder;
  into(folder)();
  SyntheticRun anew = into(folder);
  anew.callbacks.on_step = [](const StepReport&) { throw Death(); };
  EXPECT_THROW(anew(), Death);
  SyntheticRun again = into(folder);
  again.options.checkpoints.resume = true;
  EXPECT_EQ(again().resumed_at, 0);
}

TEST(Train, ResumingAFinishedRunChangesNothing) {
  const kit::TemporaryFolder folder;
  into(folder)();
  const std::string before = final_bytes(folder);
  SyntheticRun again = into(folder);
  again.options.checkpoints.resume = true;
  EXPECT_EQ(again().resumed_at, kSteps);
  EXPECT_EQ(final_bytes(folder), before);
}

TEST(Train, ResumingADamagedRunFallsBack) {
  const kit::TemporaryFolder whole;
  into(whole)();
  const kit::TemporaryFolder folder;
  into(folder)();
  folder.write("step-00000012.espalier", "damaged");
  SyntheticRun again = into(folder);
  again.options.checkpoints.resume = true;
  EXPECT_EQ(again().resumed_at, 9);
  EXPECT_EQ(final_bytes(folder), final_bytes(whole));
}

TEST(Train, ContinuesLongerThanItWasPlanned) {
  const kit::TemporaryFolder folder;
  into(folder)();
  SyntheticRun longer = into(folder);
  longer.options.checkpoints.resume = true;
  longer.options.epochs = 4;
  const TrainResult result = longer();
  EXPECT_EQ(result.resumed_at, kSteps);
  EXPECT_EQ(result.state.step, 16);
  EXPECT_EQ(result.state.history.size(), 4U);
}

TEST(Train, TheFinalCheckpointHoldsTheTrainedModel) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source({});
  TrainOptions options = synthetic_options();
  options.checkpoints.folder = folder.path();
  const TrainJob job{
      .graph = graph, .program = program, .data = source, .losses = {cross_entropy()}};
  const TrainResult result = train(job, options);
  EXPECT_EQ(result.state.best_metric, "");
  EXPECT_THAT(folder.files(), ElementsAre("step-00000008.espalier", "step-00000012.espalier"));
  const Checkpoint checkpoint = read_checkpoint(folder.file("step-00000012.espalier"));
  for (const auto& [name, tensor] : program.parameters()) {
    EXPECT_THAT(checkpoint.graph.find_value(name)->constant(),
                kit::HasSameBits(tensor.detach().contiguous()))
        << name;
  }
  EXPECT_NE(kit::bit_difference(checkpoint.graph.find_value("norm.mean")->constant(),
                                graph.find_value("norm.mean")->constant()),
            "");
  EXPECT_EQ(checkpoint.state->threads, at::get_num_threads());
  EXPECT_EQ(checkpoint.state->config, "epochs: 3\n");
  EXPECT_FALSE(checkpoint.state->instruction_set.empty());
}

TEST(Train, ReportsStepsAndEpochs) {
  std::vector<StepReport> steps;
  std::vector<EpochReport> epochs;
  SyntheticRun run;
  run.options.evaluate_every_epochs = 2;
  run.callbacks = {.on_step = [&](const StepReport& report) { steps.push_back(report); },
                   .on_epoch = [&](const EpochReport& report) { epochs.push_back(report); }};
  const TrainResult result = run();
  ASSERT_EQ(steps.size(), 12U);
  EXPECT_EQ(steps[5].epoch, 2);
  EXPECT_EQ(steps[5].iteration, 2);
  EXPECT_EQ(steps[5].iterations, 4);
  EXPECT_EQ(steps[5].step, 6);
  EXPECT_DOUBLE_EQ(steps[0].lr, 0.01);
  EXPECT_DOUBLE_EQ(steps[2].lr, 0.1);
  EXPECT_GT(steps[5].batch_cost, 0);
  EXPECT_GE(steps[5].batch_cost, steps[5].reader_cost);
  EXPECT_GT(steps[5].eta, 0);
  EXPECT_NEAR(steps[5].means.at("loss"),
              (steps[4].values.at("loss") + steps[5].values.at("loss")) / 2, 1e-9);
  ASSERT_EQ(epochs.size(), 3U);
  EXPECT_TRUE(epochs[0].record.evaluation.empty());
  EXPECT_FALSE(epochs[1].record.evaluation.empty());
  EXPECT_TRUE(epochs[1].improved);
  EXPECT_FALSE(epochs[2].record.evaluation.empty()) << "the last epoch is always evaluated";
  EXPECT_EQ(result.state.history.size(), 3U);
}

TEST(Train, ALossThatIsNotFiniteNamesStepAndPlace) {
  const kit::TemporaryFolder folder;
  SyntheticRun run = into(folder);
  run.options.epochs = 40;
  run.options.schedule = {.shape = ConstantSchedule{.lr = 1e18}};
  const std::string text = kit::expect_user_error(
      [&] { run(); }, "training stopped: the cross_entropy is not a finite number: epoch ");
  EXPECT_NE(text.find(", first in "), std::string::npos) << text;
  EXPECT_NE(text.find("a smaller learning rate or a warm-up usually helps"), std::string::npos);
}

TEST(Train, RefusesBadOptions) {
  const auto refuse = [](const auto& change, std::string_view text) {
    SyntheticRun run;
    change(run.options);
    kit::expect_user_error([&] { run(); }, text);
  };
  refuse([](TrainOptions& o) { o.epochs = 0; }, "epochs: got 0, expected 1 or more");
  refuse([](TrainOptions& o) { o.evaluate_every_epochs = 0; }, "epochs between evaluations: got 0");
  refuse([](TrainOptions& o) { o.checkpoints.every_steps = -1; },
         "steps between checkpoints: got -1");
  refuse([](TrainOptions& o) { o.checkpoints.resume = true; },
         "cannot resume without a folder of checkpoints");
  refuse([](TrainOptions& o) { o.best_metric = "top5"; },
         "the metric that decides the best model is not measured: got 'top5', expected loss, top1");
}

TEST(Train, RefusesTheCheckpointOfAnotherModel) {
  const kit::TemporaryFolder folder;
  into(folder)();
  zoo::Builder builder("other", 1);
  const ir::Graph graph = builder.finish(
      builder.image("image", 1, 8, 8).flatten().gemm({.name = "fc", .outputs = 4}), "logits");
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source({});
  TrainOptions options = synthetic_options();
  options.checkpoints.folder = folder.path();
  options.checkpoints.resume = true;
  kit::expect_user_error(
      [&] {
        train({.graph = graph, .program = program, .data = source, .losses = {cross_entropy()}},
              options);
      },
      "the checkpoint is of another model: parameter 'fc.bias': got nothing");
}

TEST(Train, RefusesASourceWithoutBatches) {
  SyntheticRun run;
  run.data.batches = 0;
  kit::expect_user_error([&] { run(); }, "got 3 epochs of 0 steps");
}

}  // namespace
}  // namespace espalier::train
