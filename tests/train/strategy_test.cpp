#include "espalier/train/strategy.h"

#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include "espalier/base/error.h"
#include "espalier/train/checkpoint_folder.h"
#include "espalier/train/loop.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

using ::testing::ElementsAre;

/// Writes down every call.
class Witness final : public Strategy {
 public:
  explicit Witness(EpochSpan span) : span_(span) {}

  [[nodiscard]] std::string describe() const override { return "witness"; }
  [[nodiscard]] EpochSpan span() const override { return span_; }
  std::optional<Rewrite> on_start(ir::Graph& graph, const exec::Program& program) override {
    calls.push_back("start");
    // The graph holds what was trained so far.
    up_to_date = kit::bit_difference(graph.find_value("head.weight")->constant(),
                                     program.parameters().at("head.weight").detach()) == "";
    return std::nullopt;
  }
  void on_resume(const ir::Graph&, const exec::Program&) override { calls.push_back("resume"); }
  void on_epoch(std::int64_t epoch, EpochPlan& plan) override {
    calls.push_back(fmt::format("epoch {}", epoch));
    plan.frozen.push_back("conv.weight");
    plan.losses.push_back({.name = "logit_size",
                           .weight = 0.5,
                           .function = [](std::span<const Tensor> outputs, const data::Batch&) {
                             return outputs[0].square().mean();
                           }});
  }
  void on_end(const ir::Graph& model, const EpochRecord& record) override {
    calls.push_back(fmt::format("end {}", record.epoch));
    last = model.clone();
  }

  std::vector<std::string> calls;
  bool up_to_date = false;
  ir::Graph last;

 private:
  EpochSpan span_;
};

/// The training of the task with strategies in a folder.
TrainResult run(const std::vector<Strategy*>& strategies, TrainOptions options,
                const Callbacks& callbacks = {}) {
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source({});
  SyntheticSource evaluation({.batches = 1, .seed = 99});
  return train({.graph = graph,
                .program = program,
                .data = source,
                .evaluation = &evaluation,
                .losses = {cross_entropy()},
                .callbacks = callbacks,
                .strategies = strategies},
               options);
}

TrainOptions into(const kit::TemporaryFolder& folder, bool resume = false) {
  TrainOptions options = synthetic_options();
  options.checkpoints.folder = folder.path();
  options.checkpoints.every_steps = 3;
  options.checkpoints.resume = resume;
  return options;
}

struct Death {};

TEST(Strategy, IsCalledInItsSpanOnly) {
  Witness witness({.start = 1, .end = 1});
  std::vector<std::size_t> terms;
  const TrainResult result =
      run({&witness}, synthetic_options(), {.on_step = [&](const StepReport& report) {
            terms.push_back(report.values.count("logit_size"));
          }});
  EXPECT_THAT(witness.calls, ElementsAre("start", "epoch 1", "end 2"));
  EXPECT_TRUE(witness.up_to_date);
  EXPECT_THAT(terms, ElementsAre(0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0));
  EXPECT_FALSE(result.state.history[1].evaluation.contains("logit_size"))
      << "evaluations stay comparable";
  // conv.weight was frozen in epoch 1 and trained in epoch 2.
  EXPECT_NE(kit::bit_difference(witness.last.find_value("conv.weight")->constant(),
                                result.model.find_value("conv.weight")->constant()),
            "");
}

TEST(Strategy, AResumedRunSeesTheSameEpochs) {
  const kit::TemporaryFolder whole;
  Witness unbroken({.start = 1, .end = 2});
  run({&unbroken}, into(whole));
  const kit::TemporaryFolder folder;
  Witness first({.start = 1, .end = 2});
  EXPECT_THROW(run({&first}, into(folder),
                   {.on_step =
                        [](const StepReport& report) {
                          if (report.step == 8) throw Death();
                        }}),
               Death);
  Witness second({.start = 1, .end = 2});
  run({&second}, into(folder, true));
  EXPECT_THAT(second.calls, ElementsAre("resume", "epoch 1", "epoch 2", "end 3"));
  EXPECT_EQ(folder.read("step-00000012.espalier"), whole.read("step-00000012.espalier"));
  Witness over({.start = 0, .end = 1});
  run({&over}, into(folder, true));
  EXPECT_TRUE(over.calls.empty());
}

TEST(Strategy, FrozenBatchNormKeepsAndUsesItsStatistics) {
  class FreezeNorms final : public Strategy {
   public:
    [[nodiscard]] std::string describe() const override { return "freeze"; }
    [[nodiscard]] EpochSpan span() const override { return {.start = 1, .end = 1}; }
    void on_epoch(std::int64_t, EpochPlan& plan) override { plan.frozen_batch_norm = true; }
  };
  const kit::TemporaryFolder folder;
  FreezeNorms freeze;
  TrainOptions options = into(folder);
  options.checkpoints.keep = 100;
  run({&freeze}, options);
  const auto mean = [&](const std::string& step) {
    const Checkpoint saved = read_checkpoint(folder.file("step-" + step + ".espalier"));
    for (const ir::Node* node : std::as_const(saved.graph).nodes()) {
      if (node->is("BatchNormalization")) return node->input(3)->constant().clone();
    }
    throw std::logic_error("no BatchNormalization");
  };
  EXPECT_THAT(mean("00000008"), kit::HasSameBits(mean("00000004")));
  EXPECT_NE(kit::bit_difference(mean("00000012"), mean("00000008")), "") << "thawed at the end";
}

TEST(Strategy, AnErrorStopsTheRun) {
  class Failing final : public Strategy {
   public:
    [[nodiscard]] std::string describe() const override { return "failing"; }
    [[nodiscard]] EpochSpan span() const override { return {.start = 1, .end = 2}; }
    void on_epoch(std::int64_t, EpochPlan&) override {
      throw base::UserError(base::Problem{.what = "cannot go on"});
    }
  };
  Failing failing;
  kit::expect_user_error([&] { run({&failing}, synthetic_options()); }, "cannot go on");
}

TEST(Strategy, RewritesTheGraphInTheMiddleAndResumesBehindIt) {
  const kit::TemporaryFolder whole;
  GainStrategy unbroken({.start = 1, .end = 2});
  std::vector<bool> improved;
  const TrainResult result =
      run({&unbroken}, into(whole),
          {.on_epoch = [&](const EpochReport& report) { improved.push_back(report.improved); }});
  EXPECT_TRUE(improved[1]) << "the best model is looked for anew";
  EXPECT_NE(result.model.find_value("gain"), nullptr);
  const Checkpoint saved = read_checkpoint(whole.file("step-00000012.espalier"));
  EXPECT_NE(kit::bit_difference(saved.graph.find_value("gain")->constant(), at::ones({6, 1, 1})),
            "")
      << "the new parameter was trained";
  EXPECT_TRUE(saved.slots.contains("momentum/gain"));
  for (const std::int64_t death : {3, 4, 5, 10}) {
    const kit::TemporaryFolder folder;
    GainStrategy first({.start = 1, .end = 2});
    EXPECT_THROW(run({&first}, into(folder),
                     {.on_step =
                          [&](const StepReport& report) {
                            if (report.step == death) throw Death();
                          }}),
                 Death);
    GainStrategy second({.start = 1, .end = 2});
    run({&second}, into(folder, true));
    EXPECT_EQ(folder.read("step-00000012.espalier"), whole.read("step-00000012.espalier"))
        << "death at step " << death;
    EXPECT_EQ(folder.read("best.espalier"), whole.read("best.espalier"));
  }
}

TEST(Strategy, RefusesSpansOutsideTheRun) {
  Witness late({.start = 0, .end = 3});
  kit::expect_user_error([&] { run({&late}, synthetic_options()); },
                         "strategy 'witness': got epochs 0 to 3, expected a span inside 0 to 2");
  Witness reversed({.start = 2, .end = 1});
  kit::expect_user_error([&] { run({&reversed}, synthetic_options()); }, "got epochs 2 to 1");
}

}  // namespace
}  // namespace espalier::train
