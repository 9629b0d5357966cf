#include "espalier/recipe/strategies.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/onnx/codec.h"
#include "espalier/ops/facts.h"
#include "espalier/passes/open_batch.h"
#include "espalier/recipe/prune_strategy.h"
#include "espalier/recipe/quantize_strategy.h"

namespace espalier::recipe {
namespace {

/// What all strategies have: their epochs.
class Spanned : public train::Strategy {
 public:
  explicit Spanned(const train::EpochSpan& span) : span_(span) {}
  [[nodiscard]] train::EpochSpan span() const override { return span_; }

 protected:
  [[nodiscard]] std::string line(std::string_view what) const {
    return fmt::format("{}, start_epoch {}, end_epoch {}", what, span_.start, span_.end);
  }

 private:
  train::EpochSpan span_;
};

/// More terms of the loss. The teacher is loaded at the start and let go at the end.
class Distil final : public Spanned {
 public:
  Distil(const train::EpochSpan& span, const DistilConfig& config, const StrategyContext& context)
      : Spanned(span), config_(config), context_(context) {}

  [[nodiscard]] std::string describe() const override { return line("distil"); }
  std::optional<train::Rewrite> on_start(ir::Graph&, const exec::Program&) override {
    load();
    return std::nullopt;
  }
  void on_resume(const ir::Graph&, const exec::Program&) override { load(); }
  void on_epoch(std::int64_t, train::EpochPlan& plan) override {
    plan.losses.insert(plan.losses.end(), terms_.begin(), terms_.end());
  }
  void on_end(const ir::Graph&, const train::EpochRecord&) override { terms_.clear(); }

 private:
  void load() {
    terms_ = make_losses(config_.losses, config_.teacher, context_.self, context_.features);
  }

  const DistilConfig& config_;
  const StrategyContext& context_;
  std::vector<train::LossTerm> terms_;
};

class Freeze final : public Spanned {
 public:
  Freeze(const train::EpochSpan& span, const FreezeConfig& config)
      : Spanned(span), config_(config) {}

  [[nodiscard]] std::string describe() const override {
    return line(fmt::format("freeze {}", fmt::join(config_.match, ", ")));
  }
  void on_epoch(std::int64_t, train::EpochPlan& plan) override {
    plan.frozen.insert(plan.frozen.end(), config_.match.begin(), config_.match.end());
  }

 private:
  const FreezeConfig& config_;
};

class FreezeObserved final : public Spanned {
 public:
  FreezeObserved(const train::EpochSpan& span, FreezeObservedConfig::What what)
      : Spanned(span), batch_norm_(what == FreezeObservedConfig::What::BatchNorm) {}

  [[nodiscard]] std::string describe() const override {
    return line(batch_norm_ ? "freeze_batch_norm" : "freeze_quantizers");
  }
  void on_epoch(std::int64_t, train::EpochPlan& plan) override {
    (batch_norm_ ? plan.frozen_batch_norm : plan.frozen_quantizers) = true;
  }

 private:
  bool batch_norm_;
};

class EpochExport final : public Spanned {
 public:
  EpochExport(const train::EpochSpan& span, const EpochExportConfig& config,
              const StrategyContext& context)
      : Spanned(span), config_(config), path_(context.folder / config.file) {}

  [[nodiscard]] std::string describe() const override {
    return fmt::format("export '{}', end_epoch {}", config_.file, span().end);
  }
  void on_end(const ir::Graph& model, const train::EpochRecord&) override {
    for (const ir::Node* node : model.nodes()) {
      if (node->domain() != ir::kEspalierDomain) continue;
      throw base::UnsupportedError({.what = "cannot export the model in the middle of a training",
                                    .where = node->label(),
                                    .got = "simulated quantization",
                                    .hint = "the strategy 'quantize' writes one at its end_epoch"});
    }
    ir::Graph shipped = model.clone();
    passes::run(shipped, {passes::close_batch()});
    onnx::save(shipped, path_, {.opset = config_.opset});
    base::log_info("written: {}", path_.string());
  }

 private:
  const EpochExportConfig& config_;
  std::filesystem::path path_;
};

/// One row a kind.
struct Rows {
  const train::EpochSpan& span;
  const StrategyContext& context;

  std::unique_ptr<train::Strategy> operator()(const DistilConfig& config) const {
    return std::make_unique<Distil>(span, config, context);
  }
  std::unique_ptr<train::Strategy> operator()(const FreezeConfig& config) const {
    return std::make_unique<Freeze>(span, config);
  }
  std::unique_ptr<train::Strategy> operator()(const FreezeObservedConfig& config) const {
    return std::make_unique<FreezeObserved>(span, config.what);
  }
  std::unique_ptr<train::Strategy> operator()(const TrainQuantizeConfig& config) const {
    return make_quantize_strategy(span, config, context);
  }
  std::unique_ptr<train::Strategy> operator()(const TrainPruneConfig& config) const {
    return make_prune_strategy(span, config, context);
  }
  std::unique_ptr<train::Strategy> operator()(const EpochExportConfig& config) const {
    return std::make_unique<EpochExport>(span, config, context);
  }
};

}  // namespace

std::vector<std::unique_ptr<train::Strategy>> make_strategies(const TrainStage& stage,
                                                              const StrategyContext& context) {
  std::vector<std::unique_ptr<train::Strategy>> strategies;
  for (const StrategyConfig& config : stage.strategies) {
    strategies.push_back(std::visit(Rows{.span = config.span, .context = context}, config.what));
  }
  return strategies;
}

std::set<std::string> epoch_files(const Recipe& recipe) {
  std::set<std::string> files;
  const auto add = [&](const TrainStage& stage) {
    for (const StrategyConfig& strategy : stage.strategies) {
      if (const auto* quantize = std::get_if<TrainQuantizeConfig>(&strategy.what)) {
        files.insert(quantize->file);
      } else if (const auto* exported = std::get_if<EpochExportConfig>(&strategy.what)) {
        files.insert(exported->file);
      } else if (std::holds_alternative<TrainPruneConfig>(strategy.what)) {
        files.insert(epoch_plan_name(strategy.span));
      }
    }
  };
  for (const Stage& stage : recipe.stages) {
    if (const auto* training = std::get_if<TrainStage>(&stage)) add(*training);
    const auto* quantize = std::get_if<QuantizeStage>(&stage);
    if (quantize != nullptr && quantize->qat) add(quantize->qat->train);
    const auto* prune = std::get_if<PruneStage>(&stage);
    if (prune != nullptr && prune->fine_tune) add(*prune->fine_tune);
  }
  return files;
}

}  // namespace espalier::recipe
