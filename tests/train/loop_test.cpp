#include "espalier/train/loop.h"

#include <cmath>
#include <stdexcept>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "espalier/train/checkpoint_folder.h"
#include "espalier/train/evaluate.h"
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

/// The same run again, from its newest checkpoint.
SyntheticRun resumed(const kit::TemporaryFolder& folder) {
  SyntheticRun run = into(folder);
  run.options.checkpoints.resume = true;
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

/// A set of options and how often they save.
struct ResumeCase {
  std::string name;
  TrainOptions (*options)();
};

class ResumedRun : public ::testing::TestWithParam<ResumeCase> {};

TEST_P(ResumedRun, EndsWithTheSameBytesFromAnyStep) {
  const kit::TemporaryFolder whole;
  const kit::TemporaryFolder copies;
  SyntheticRun run = into(whole);
  const CheckpointOptions checkpoints = run.options.checkpoints;
  run.options = GetParam().options();
  run.options.checkpoints = checkpoints;
  // What a process that dies at this step would leave: its own file is written after the callback.
  run.callbacks.on_step = [&](const StepReport& report) {
    std::filesystem::copy(whole.path(), copies.path() / std::to_string(report.step));
  };
  run();
  for (std::int64_t death = 1; death <= kSteps; ++death) {
    const std::string name = std::to_string(death);
    SyntheticRun second = run;
    second.callbacks = {};
    second.options.checkpoints.folder = copies.path() / name;
    second.options.checkpoints.resume = true;
    const std::int64_t expected = std::max((death - 1) / 3 * 3, (death - 1) / 4 * 4);
    EXPECT_EQ(second().resumed_at, expected) << "death at step " << death;
    for (const std::string& file : whole.files()) {
      const std::string copy = (std::filesystem::path(name) / file).string();
      EXPECT_EQ(copies.read(copy), whole.read(file)) << "death at step " << death;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Train, ResumedRun,
                         ::testing::Values(ResumeCase{"Plain", synthetic_options},
                                           ResumeCase{"Elaborate", elaborate_options}),
                         [](const auto& one) { return one.param.name; });

TEST(Train, AnotherOptimizerStartsItsStateAnew) {
  const kit::TemporaryFolder folder;
  into(folder)();
  SyntheticRun other = resumed(folder);
  other.options.epochs = 4;
  other.options.optimizer = AdamOptions{};
  other.options.ema = {.decay = 0.5};
  EXPECT_EQ(other().resumed_at, kSteps);
  const Checkpoint last = read_checkpoint(folder.file("step-00000016.espalier"));
  EXPECT_TRUE(last.slots.contains("first_moment/head.bias"));
  EXPECT_TRUE(last.slots.contains("ema/head.bias"));
  EXPECT_FALSE(last.slots.contains("momentum/head.bias"));
}

TEST(Train, TheAverageIsWhatIsEvaluatedAndDelivered) {
  const kit::TemporaryFolder folder;
  SyntheticRun run = into(folder);
  run.options.ema = {.decay = 0.9, .warm_up = false};
  const TrainResult result = run();
  const Checkpoint last = read_checkpoint(folder.file("step-00000012.espalier"));
  EXPECT_THAT(result.model.find_value("head.weight")->constant(),
              kit::HasSameBits(last.slots.at("ema/head.weight")));
  EXPECT_NE(kit::bit_difference(last.graph.find_value("head.weight")->constant(),
                                last.slots.at("ema/head.weight")),
            "");
  // The recorded figures are those of the delivered weights.
  exec::Program program = exec::Program::compile(result.model, {});
  SyntheticSource evaluation({.batches = 2, .seed = 99});
  const MetricValues values =
      evaluate(program, evaluation, {cross_entropy(0.1)}, run.options.metrics);
  EXPECT_NEAR(values.at("loss"), result.state.history.back().evaluation.at("loss"), 1e-5);
}

TEST(Train, FrozenTensorsStayFromTheirEpochOn) {
  const kit::TemporaryFolder folder;
  SyntheticRun run = into(folder);
  run.options.freezes = {{.pattern = "conv.*", .from_epoch = 1},
                         {.pattern = "norm.mean", .from_epoch = 1}};
  run.options.checkpoints.keep = 10;
  run();
  const Checkpoint first = read_checkpoint(folder.file("step-00000004.espalier"));
  const Checkpoint last = read_checkpoint(folder.file("step-00000012.espalier"));
  const auto difference = [&](const std::string& name) {
    return kit::bit_difference(last.graph.find_value(name)->constant(),
                               first.graph.find_value(name)->constant());
  };
  EXPECT_EQ(difference("conv.weight"), "");
  EXPECT_EQ(difference("norm.mean"), "");
  EXPECT_NE(difference("norm.variance"), "");
  EXPECT_NE(difference("head.weight"), "");
  run.options.freezes = {{.pattern = "*"}};
  kit::expect_user_error([&] { run(); }, "nothing is left to train: every parameter is frozen");
}

TEST(Train, ClippingBoundsTheStep) {
  SyntheticRun run;
  run.options.epochs = 1;
  run.options.optimizer = SgdOptions{.momentum = 0};
  run.options.groups = {};
  run.options.schedule = {.shape = ConstantSchedule{.lr = 1}};
  run.options.clip = {.kind = ClipOptions::Kind::GlobalNorm, .limit = 1e-3};
  std::vector<double> norms;
  run.callbacks.on_step = [&](const StepReport& report) { norms.push_back(report.gradient_norm); };
  const TrainResult result = run();
  EXPECT_GT(norms[0], 0.01) << "reported before clipping";
  double moved = 0;
  const ir::Graph before = synthetic_model(3);
  for (const char* name :
       {"conv.weight", "norm.scale", "norm.offset", "head.weight", "head.bias"}) {
    moved += (result.model.find_value(name)->constant() - before.find_value(name)->constant())
                 .square()
                 .sum()
                 .item<double>();
  }
  EXPECT_LE(std::sqrt(moved), 4 * 1e-3 * 1.001) << "four steps of at most the limit";
  EXPECT_NE(result.state.optimizer.find(", clip global_norm 0.001"), std::string::npos);
}

TEST(Train, ARunThatStartsAnewIsNotMistakenForAnOlderOne) {
  const kit::TemporaryFolder folder;
  into(folder)();
  SyntheticRun anew = into(folder);
  anew.callbacks.on_step = [](const StepReport&) { throw Death(); };
  EXPECT_THROW(anew(), Death);
  SyntheticRun again = resumed(folder);
  EXPECT_EQ(again().resumed_at, 0);
}

TEST(Train, ResumingAFinishedRunChangesNothing) {
  const kit::TemporaryFolder folder;
  into(folder)();
  const std::string before = final_bytes(folder);
  SyntheticRun again = resumed(folder);
  EXPECT_EQ(again().resumed_at, kSteps);
  EXPECT_EQ(final_bytes(folder), before);
}

TEST(Train, ResumingADamagedRunFallsBack) {
  const kit::TemporaryFolder whole;
  into(whole)();
  const kit::TemporaryFolder folder;
  into(folder)();
  folder.write("step-00000012.espalier", "damaged");
  SyntheticRun again = resumed(folder);
  EXPECT_EQ(again().resumed_at, 9);
  EXPECT_EQ(final_bytes(folder), final_bytes(whole));
}

TEST(Train, ContinuesLongerThanItWasPlanned) {
  const kit::TemporaryFolder folder;
  into(folder)();
  SyntheticRun longer = resumed(folder);
  longer.options.epochs = 4;
  const TrainResult result = longer();
  EXPECT_EQ(result.resumed_at, kSteps);
  EXPECT_EQ(result.state.step, 16);
  EXPECT_EQ(result.state.history.size(), 4U);
}

TEST(Train, RefusesFewerEpochsThanItHasFinished) {
  const kit::TemporaryFolder folder;
  into(folder)();
  SyntheticRun shorter = resumed(folder);
  shorter.options.epochs = 2;
  kit::expect_user_error([&] { shorter(); }, "got 3 finished, expected at most 2");
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
  const std::string text = kit::expect_user_error([&] { run(); }, "training stopped: ");
  EXPECT_NE(text.find(" is not a finite number: epoch 1, step "), std::string::npos) << text;
  EXPECT_NE(text.find(", first in "), std::string::npos) << text;
  EXPECT_NE(text.find("a smaller learning rate or a warm-up usually helps; the last good "
                      "checkpoint is '"),
            std::string::npos);
  // What is left can be read, holds finite numbers, and a gentler run goes on from it.
  const Checkpoint left = read_checkpoint(CheckpointFolder(folder.path(), 2).files().back());
  for (const ir::Value* value : std::as_const(left.graph).initializers()) {
    if (!value->constant().is_floating_point()) continue;
    EXPECT_TRUE(at::isfinite(value->constant()).all().item<bool>()) << value->name();
  }
}

TEST(Train, TheStepOfABadNumberDoesNotDependOnCheckpoints) {
  std::vector<std::string> texts;
  for (const std::int64_t every : {0, 1}) {
    const kit::TemporaryFolder folder;
    SyntheticRun run = into(folder);
    run.options.epochs = 40;
    run.options.checkpoints.every_steps = every;
    run.options.schedule = {.shape = ConstantSchedule{.lr = 1e12}};
    const std::string text = kit::expect_user_error([&] { run(); }, "training stopped: ");
    texts.push_back(text.substr(0, text.find(", first in ")));
  }
  EXPECT_EQ(texts[0], texts[1]);
}

/// A term whose value is finite and whose gradient is not from the sixth step on; the first call is
/// the trial of a batch.
LossTerm spoiling_gradients() {
  return {.name = "root",
          .function = [steps = std::make_shared<int>(0)](std::span<const Tensor> outputs,
                                                         const data::Batch&) {
            // The slope of the square root at 0 is infinite, and 0 times infinity is NaN.
            return ++*steps < 7 ? outputs[0].mean() * 0 : (outputs[0] * 0).sqrt().sum();
          }};
}

TEST(Train, AGradientThatIsNotFiniteNeverReachesAParameter) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source({});
  TrainOptions options = synthetic_options();
  options.checkpoints.folder = folder.path();
  const std::string text = kit::expect_user_error(
      [&] {
        train({.graph = graph,
               .program = program,
               .data = source,
               .losses = {cross_entropy(), spoiling_gradients()}},
              options);
      },
      "training stopped: a gradient is not a finite number: epoch 2, step 6, first in the gradient "
      "of 'head.");
  EXPECT_NE(text.find("the last good checkpoint is '"), std::string::npos);
  EXPECT_NE(text.find("step-00000004.espalier'"), std::string::npos) << text;
  for (const auto& [name, parameter] : program.parameters()) {
    EXPECT_TRUE(at::isfinite(parameter).all().item<bool>()) << name;
  }
}

TEST(Train, AnEvaluationThatIsNotFiniteStopsTheRun) {
  class BadImages final : public BatchSource {
   public:
    [[nodiscard]] std::int64_t batches_per_epoch() const override { return 1; }
    void start(SourcePosition) override { given_ = false; }
    [[nodiscard]] std::optional<data::Batch> next() override {
      if (std::exchange(given_, true)) return std::nullopt;
      return data::Batch{.images = at::full({2, 1, 8, 8}, std::nanf("")),
                         .labels = at::zeros({2}, at::kLong),
                         .indices = {0, 1}};
    }
    [[nodiscard]] SourcePosition position() const override { return {}; }

   private:
    bool given_ = false;
  };
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source({});
  BadImages evaluation;
  kit::expect_user_error(
      [&] {
        train({.graph = graph,
               .program = program,
               .data = source,
               .evaluation = &evaluation,
               .losses = {cross_entropy()}},
              synthetic_options());
      },
      "training stopped: the loss of the evaluation is not a finite number: epoch 1, step 4, first "
      "in the images of the evaluation: got nan");
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

TEST(Train, DataThatDoesNotFitReplacesNothing) {
  /// Labels beyond the model's four classes.
  class WrongLabels final : public BatchSource {
   public:
    [[nodiscard]] std::int64_t batches_per_epoch() const override { return 1; }
    void start(SourcePosition) override {}
    [[nodiscard]] std::optional<data::Batch> next() override {
      return data::Batch{.images = at::zeros({1, 1, 8, 8}, at::kFloat),
                         .labels = at::full({1}, 7, at::kLong),
                         .indices = {0}};
    }
    [[nodiscard]] SourcePosition position() const override { return {}; }
  };
  const kit::TemporaryFolder folder;
  into(folder)();
  const std::vector<std::string> files = folder.files();
  const std::string before = final_bytes(folder);
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  WrongLabels source;
  TrainOptions options = synthetic_options();
  options.checkpoints.folder = folder.path();
  bool started = false;
  kit::expect_user_error(
      [&] {
        train({.graph = graph,
               .program = program,
               .data = source,
               .losses = {cross_entropy()},
               .callbacks = {.on_start = [&] { started = true; }}},
              options);
      },
      "7");
  EXPECT_FALSE(started);
  EXPECT_EQ(folder.files(), files);
  EXPECT_EQ(final_bytes(folder), before);
}

TEST(Train, SaysWhenItBegins) {
  const kit::TemporaryFolder folder;
  for (const bool resume : {false, true}) {
    SyntheticRun run = into(folder);
    run.options.epochs = resume ? 4 : 3;
    run.options.checkpoints.resume = resume;
    int starts = 0;
    const std::vector<std::string> before = folder.files();
    run.callbacks.on_start = [&] {
      ++starts;
      EXPECT_EQ(folder.files(), before) << "nothing is written yet";
    };
    run.callbacks.on_step = [&](const StepReport&) { EXPECT_EQ(starts, 1); };
    run();
    EXPECT_EQ(starts, 1);
  }
}

TEST(Train, RefusesASourceWithoutBatches) {
  SyntheticRun run;
  run.data.batches = 0;
  kit::expect_user_error([&] { run(); }, "got 3 epochs of 0 steps");
}

}  // namespace
}  // namespace espalier::train
