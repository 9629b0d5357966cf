#include "espalier/recipe/prune_strategy.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/passes/pass.h"
#include "espalier/passes/pipelines.h"
#include "espalier/recipe/counted_macs.h"
#include "espalier/recipe/cut_proof.h"
#include "espalier/recipe/prune_plan_yaml.h"
#include "espalier/recipe/pruning_images.h"

namespace espalier::recipe {
namespace {

/// What a graph costs, and the groups that make it so.
struct Measured {
  explicit Measured(const ir::Graph& graph, const std::vector<Tensor>& sample,
                    std::optional<prune::CouplingChoices> earlier = std::nullopt)
      : map(graph, std::move(earlier)),
        counted(count_macs(graph, sample)),
        cost(prune::CostModel(graph, map, counted.macs).cost(prune::Removal(map))) {}

  prune::ChannelMap map;
  CountedMacs counted;
  prune::NetworkCost cost;
};

/// Channels that groups have lost, by name.
std::map<std::string, std::int64_t, std::less<>> lost(const prune::ChannelMap& before,
                                                      const prune::ChannelMap& now) {
  std::map<std::string, std::int64_t, std::less<>> gone;
  for (const prune::ChannelGroup& group : before.groups()) {
    const auto left = std::ranges::find(now.groups(), group.name, &prune::ChannelGroup::name);
    if (left == now.groups().end()) continue;
    gone[group.name] = std::ssize(group.channels) - std::ssize(left->channels);
  }
  return gone;
}

class Prune final : public train::Strategy {
 public:
  Prune(const train::EpochSpan& span, const TrainPruneConfig& config,
        const StrategyContext& context)
      : span_(span), config_(config), context_(context) {
    base::invariant(context_.data != nullptr, "a training that is pruned without its data");
    if (config_.step == config_.steps) try_budget();
  }

  [[nodiscard]] std::string describe() const override {
    return fmt::format("prune to {:.1f} % of the {}", 100 * target(),
                       prune::to_string(config_.budget.kind));
  }
  [[nodiscard]] train::EpochSpan span() const override { return span_; }
  [[nodiscard]] bool rewrites() const override { return true; }

  std::optional<train::Rewrite> on_start(ir::Graph& graph, const exec::Program&) override {
    const ir::Graph whole = prepared(context_.self);
    graph = prepared(graph);
    const PruningImages images = open_images(graph);
    const std::vector<Tensor> sample = sample_of(graph, images);
    const Measured first(whole, sample);
    const prune::BudgetResult chosen = choose(graph, first, sample, images.batches());
    if (config_.check) prove(graph, chosen.plan, first.map.choices(), sample);
    prune::CutMap cuts = passes::cut_channels(graph, chosen.plan, first.map.choices());
    base::write_file_atomic(context_.folder / epoch_plan_name(span_),
                            print_prune_plan(chosen.plan));
    tell(first.cost, Measured(graph, sample, first.map.choices()).cost, chosen);
    return train::Rewrite{
        .follow = [cuts = std::move(cuts)](const std::string& parameter, const Tensor& state) {
          const auto axes = cuts.find(parameter);
          return axes == cuts.end() ? state : prune::cut_tensor(state, axes->second, parameter);
        }};
  }

 private:
  void prove(const ir::Graph& graph, const prune::PrunePlan& plan,
             const prune::CouplingChoices& choices, const std::vector<Tensor>& sample) const {
    passes::CheckCutOptions options{.earlier = choices};
    const Tensor& images = sample.front();
    if (images.dim() == 4) options.unknown_size = {images.size(2), images.size(3)};
    const CutProof proof = prove_cut(graph, plan, options);
    if (!proof.failure.empty()) {
      throw base::UserError({.what = "a strategy 'prune' asks for a proof of its cut",
                             .where = fmt::format("epoch {}", span_.start),
                             .got = proof.failure});
    }
    base::log_info("the cut is proven: {:.1e} in float64, {:.1e} in float32",
                   proof.check->difference64, proof.check->difference32);
  }

  /// Share of the model that entered the stage.
  [[nodiscard]] double target() const {
    return prune::share_after(config_.budget.remaining, config_.step, config_.steps);
  }

  [[nodiscard]] static ir::Graph prepared(const ir::Graph& graph) {
    ir::Graph result = graph.clone();
    passes::run(result, passes::prepare_for_pruning(), {.verify = false});
    return result;
  }

  [[nodiscard]] PruningImages open_images(const ir::Graph& graph) const {
    return {graph, *context_.data, context_.calibration, /*judging_samples=*/0};
  }

  [[nodiscard]] static std::vector<Tensor> sample_of(const ir::Graph& graph,
                                                     const PruningImages& images) {
    const std::int64_t batch = deploy::fixed_batch(graph).value_or(1);
    return {images.batches().front().images.narrow(0, 0, batch)};
  }

  /// Finds before the first step what would stop the training at the cut: which widths can be met
  /// does not depend on the weights.
  void try_budget() const {
    const ir::Graph whole = prepared(context_.self);
    const std::vector<Tensor> sample = sample_of(whole, open_images(whole));
    const Measured first(whole, sample);
    check_counted(first.counted, config_.budget.kind);
    prune::BudgetOptions options = config_.budget;
    options.macs = first.counted.macs;
    const prune::BudgetResult result =
        prune::meet_budget(whole, first.map, prune::score_channels(first.map, {}), options);
    if (!result.reached) refuse(result.reason);
  }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw base::UserError({.what = "the budget of a strategy 'prune' cannot be met",
                           .where = fmt::format("epoch {}", span_.start),
                           .got = reason});
  }

  [[nodiscard]] double amount(const prune::NetworkCost& cost) const {
    return static_cast<double>(prune::amount(cost, config_.budget.kind));
  }

  [[nodiscard]] prune::BudgetResult choose(const ir::Graph& graph, const Measured& first,
                                           const std::vector<Tensor>& sample,
                                           const std::vector<data::Batch>& batches) const {
    const Measured now(graph, sample, first.map.choices());
    prune::ScoreOptions scores = config_.scores;
    add_evidence(scores, graph, batches);
    prune::BudgetOptions options = config_.budget;
    options.macs = now.counted.macs;
    options.limits.gone = lost(first.map, now.map);
    options.may_be_done = config_.step > 1;
    options.remaining = std::min(1.0, target() * amount(first.cost) / amount(now.cost));
    return prune::meet_budget(graph, now.map, prune::score_channels(now.map, scores), options);
  }

  void tell(const prune::NetworkCost& before, const prune::NetworkCost& after,
            const prune::BudgetResult& chosen) const {
    base::log_info("pruned: {:.2f} % of the {} of the stage's model remain ({} of {})",
                   100 * amount(after) / amount(before), prune::to_string(config_.budget.kind),
                   prune::amount(after, config_.budget.kind),
                   prune::amount(before, config_.budget.kind));
    if (chosen.reached) return;
    const std::string reason = prune::missed_text(config_.budget.kind, target(),
                                                  amount(after) / amount(before), chosen.held_by);
    if (config_.step == config_.steps) refuse(reason);
    base::log_warning("{}", reason);
  }

  train::EpochSpan span_;
  const TrainPruneConfig& config_;
  const StrategyContext& context_;
};

}  // namespace

std::string epoch_plan_name(const train::EpochSpan& span) {
  return fmt::format("prune_plan-epoch-{}.yaml", span.start);
}

std::unique_ptr<train::Strategy> make_prune_strategy(const train::EpochSpan& span,
                                                     const TrainPruneConfig& config,
                                                     const StrategyContext& context) {
  return std::make_unique<Prune>(span, config, context);
}

}  // namespace espalier::recipe
