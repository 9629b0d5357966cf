#include "espalier/train/job_check.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

TEST(JobCheck, RefusesBadOptions) {
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
  refuse([](TrainOptions& o) { o.freezes = {{.pattern = "conv.*", .from_epoch = -1}}; },
         "epoch that freezes 'conv.*': got -1, expected 0 or more");
  refuse([](TrainOptions& o) { o.best_metric = "top5"; },
         "the metric that decides the best model is not measured: got 'top5', expected loss, top1");
}

TEST(JobCheck, AJobHasALoss) {
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source({});
  const TrainJob job{.graph = graph, .program = program, .data = source};
  kit::expect_internal_error([&] { check_job(job, synthetic_options()); },
                             "training without a loss");
}

}  // namespace
}  // namespace espalier::train
