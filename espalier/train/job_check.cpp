#include "espalier/train/job_check.h"

#include <algorithm>

#include <fmt/ranges.h>

#include "espalier/base/check.h"

namespace espalier::train {
namespace {

void check_numbers(const TrainJob& job, const TrainOptions& options) {
  base::check(options.epochs >= 1, "epochs: got {}, expected 1 or more", options.epochs);
  base::check(options.evaluate_every_epochs >= 1,
              "epochs between evaluations: got {}, expected 1 or more",
              options.evaluate_every_epochs);
  base::check(options.checkpoints.every_steps >= 0,
              "steps between checkpoints: got {}, expected 0 or more",
              options.checkpoints.every_steps);
  base::check(!options.checkpoints.resume || !options.checkpoints.folder.empty(),
              "cannot resume without a folder of checkpoints");
  check_clip(options.clip);
  check_sparsity(job.graph, options.sparsity);
  check_ema(options.ema);
  for (const FreezeRule& rule : options.freezes) {
    base::check(rule.from_epoch >= 0, "epoch that freezes '{}': got {}, expected 0 or more",
                rule.pattern, rule.from_epoch);
  }
}

void check_best_metric(const TrainJob& job, const TrainOptions& options) {
  if (job.evaluation == nullptr) return;
  std::vector<std::string> known{"loss"};
  for (const TopK& metric : options.metrics) known.push_back(metric.name());
  for (const LossTerm& loss : job.losses) {
    if (job.losses.size() > 1) known.push_back(loss.name);
  }
  if (std::ranges::find(known, options.best_metric) == known.end()) {
    throw base::UserError({.what = "the metric that decides the best model is not measured",
                           .got = fmt::format("'{}'", options.best_metric),
                           .expected = fmt::format("{}", fmt::join(known, ", "))});
  }
}

void check_strategies(const TrainJob& job, const TrainOptions& options) {
  for (const Strategy* strategy : job.strategies) {
    const EpochSpan span = strategy->span();
    base::check(span.start >= 0 && span.start <= span.end && span.end < options.epochs,
                "strategy '{}': got epochs {} to {}, expected a span inside 0 to {}",
                strategy->describe(), span.start, span.end, options.epochs - 1);
  }
}

}  // namespace

void check_job(const TrainJob& job, const TrainOptions& options) {
  base::invariant(!job.losses.empty(), "training without a loss");
  check_numbers(job, options);
  check_best_metric(job, options);
  check_strategies(job, options);
}

}  // namespace espalier::train
