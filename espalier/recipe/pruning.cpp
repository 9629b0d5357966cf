#include "espalier/recipe/pruning.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include <ATen/ops/concat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/onnx/codec.h"
#include "espalier/ops/facts.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/passes/mask_channels.h"
#include "espalier/passes/open_batch.h"
#include "espalier/passes/pass.h"
#include "espalier/passes/pipelines.h"
#include "espalier/passes/reconstruct_weights.h"
#include "espalier/prune/plan_composition.h"
#include "espalier/recipe/counted_macs.h"
#include "espalier/recipe/cut_proof.h"
#include "espalier/recipe/evaluation.h"
#include "espalier/recipe/open_for_training.h"
#include "espalier/recipe/prune_plan_yaml.h"
#include "espalier/recipe/pruned_engines.h"
#include "espalier/recipe/pruning_images.h"
#include "espalier/recipe/sensitivity_store.h"
#include "espalier/train/reestimate_norms.h"

namespace espalier::recipe {
namespace {

using report::Json;

/// Rounding of shares: a budget of one half is reached by 0.5 + 1e-12.
constexpr double kLeastShare = 1e-6;  ///< that a step may be asked to leave
constexpr double kShareTolerance = 1e-9;
/// A budget that is missed downwards by more is worth a word.
constexpr double kNotableShare = 0.02;

/// How sensitivities are measured: channels of several layers go by the mean of their scores.
constexpr prune::Reduction kMeasuredReduction = prune::Reduction::Mean;

Json cost_json(const prune::NetworkCost& cost) {
  return Json::object({{"macs", cost.macs},
                       {"parameters", cost.parameters},
                       {"bytes", cost.bytes},
                       {"filters", cost.filters}});
}

Json shares_json(const prune::NetworkCost& before, const prune::NetworkCost& after) {
  Json json = Json::object();
  for (const auto kind : {prune::BudgetKind::Macs, prune::BudgetKind::Parameters,
                          prune::BudgetKind::Bytes, prune::BudgetKind::Filters}) {
    const auto whole = static_cast<double>(prune::amount(before, kind));
    json[prune::to_string(kind)] =
        whole > 0 ? static_cast<double>(prune::amount(after, kind)) / whole : 1.0;
  }
  return json;
}

/// One call of prune_model.
class Pruning {
 public:
  explicit Pruning(const PruningRequest& request)
      : request_(request), stage_(request.stage), original_(request.graph.clone()) {
    passes::run(original_, passes::prepare_for_pruning(), {.verify = false});
    // What cannot be written is found before anything is cut or trained.
    original_bytes_ = onnx::encode(original_, {.opset = request.opset});
    graph_ = original_.clone();
    const bool images = has_images(request.data);
    require_images(images, stage_.reestimate_norms.value_or(false), "re-estimating normalizations");
    require_images(images, stage_.reconstruct.value_or(false), "reconstructing weights");
    require_images(images, stage_.fine_tune.has_value(), "fine-tuning");
    require_images(images, needs_gradients(evidence()),
                   fmt::format("criterion '{}'", stage_.scores.criterion));
    if (images) {
      images_.emplace(original_, request.data, request.calibration, stage_.verify.samples);
    }
    if (images_) {
      const std::int64_t batch = deploy::fixed_batch(original_).value_or(1);
      sample_ = {images_->batches().front().images.narrow(0, 0, batch)};
    } else {
      sample_ = sample_of_size(original_, image_size());
    }
    note_sizes();
    note_quantizers();
  }

  PruningResult run() {
    facts_ = Json::object();
    if (images_) accuracy_["before"] = metrics_json(images_->accuracy(original_));
    for (std::int64_t iteration = 1; iteration <= stage_.iterations; ++iteration) {
      cut(iteration);
      mend(iteration);
      if (!stage_.fine_tune) continue;
      if (iteration == stage_.iterations) {
        accuracy_["mended"] = metrics_json(images_->accuracy(graph_));
      }
      timed("fine_tune", [&] { graph_ = request_.fine_tune(graph_, iteration); });
    }
    judge();
    return {.graph = std::move(graph_), .plan = std::move(plan_), .facts = std::move(facts_)};
  }

 private:
  static void require_images(bool images, bool wanted, std::string_view what) {
    if (!wanted || images) return;
    throw base::UserError({.what = fmt::format("{} needs images, and none are given", what),
                           .hint = "name a data file with --data, or 'data' in the recipe"});
  }

  void note_quantizers() {
    const auto nodes = std::as_const(original_).nodes();
    const auto quantizers = std::ranges::count_if(
        nodes, [](const ir::Node* node) { return ops::kind_of(*node) == ops::OpKind::Quantize; });
    if (quantizers == 0) return;
    note(
        fmt::format("the model is quantized already ({} quantizers, whose scales stay): prune the "
                    "float model and quantize the result for scales that fit it",
                    quantizers));
  }

  /// Says so where the model does not tell of which images its costs are.
  void note_sizes() {
    const CountedMacs counted = count_macs(original_, sample_);
    original_macs_ = counted.macs;
    if (stage_.plan.empty()) check_counted(counted, stage_.budget.kind);
    if (!counted.uncounted.empty()) {
      note(
          fmt::format("the multiply-accumulates of {} layers are not counted: their sizes are "
                      "unknown",
                      counted.uncounted.size()));
    }
    const bool open = has_open_sizes(original_);
    if (stage_.image_size && (images_ || !open)) {
      note(fmt::format("image_size is not used: {} the size",
                       images_ ? "the images have" : "the model itself says"));
    }
    if (!open) return;
    note(fmt::format("the model leaves its input's size open: costs are those of [{}]{}",
                     fmt::join(sample_.front().sizes(), ", "),
                     images_ ? ", the size of the images" : ", as image_size says"));
  }

  /// A file of sensitivities that was cut off looks like a whole one.
  void note_unmeasured(const std::vector<prune::GroupOutcome>& groups) {
    std::vector<std::string> names;
    for (const prune::GroupOutcome& group : groups) {
      if (group.untouched == prune::kNoCurve) names.push_back(group.group);
    }
    if (names.empty()) return;
    const std::size_t count = names.size();
    if (count > 5) names.resize(5);
    note(fmt::format("{} groups have no sensitivity curve and keep all channels: '{}'{}", count,
                     fmt::join(names, "', '"), count > names.size() ? ", ..." : ""));
  }

  /// A largest loss bounds each group alone: says so where the whole costs more.
  void note_loss() {
    const Json* before = accuracy_.find("before");
    const Json* after = accuracy_.find("after");
    if (!stage_.max_loss || before == nullptr || after == nullptr) return;
    const Json* was = before->find("top1");
    const Json* is = after->find("top1");
    if (was == nullptr || is == nullptr) return;
    const double lost = was->as_number() - is->as_number();
    if (lost <= *stage_.max_loss) return;
    note(
        fmt::format("top1 fell by {:.2f} points: max_loss, {} points, bounds what each group costs "
                    "alone; train behind the cut, or ask for less",
                    lost, *stage_.max_loss));
  }

  /// Says so where nothing went, and where clearly more went than was asked for.
  void note_distance(const prune::NetworkCost& before, const prune::NetworkCost& after) {
    if (std::ranges::all_of(plan_.cuts, [](const auto& cut) { return cut.removed.empty(); })) {
      return note(stage_.plan.empty()
                      ? "nothing is removed: what was asked for leaves all channels in place"
                      : "nothing is removed: the plan names no channels");
    }
    if (!stage_.plan.empty() || stage_.max_loss) return;
    const prune::BudgetKind kind = stage_.budget.kind;
    const double share = static_cast<double>(prune::amount(after, kind)) /
                         static_cast<double>(prune::amount(before, kind));
    if (stage_.budget.remaining - share < kNotableShare) return;
    note(fmt::format(
        "{:.1f} % of the {} remain where {:.1f} % were asked for: channels go in steps, "
        "and with one step less more would remain than that",
        100 * share, prune::to_string(kind), 100 * stage_.budget.remaining));
  }

  void note(std::string text) {
    base::log_info("{}", text);
    notes_.push_back(std::move(text));
  }

  [[nodiscard]] prune::Evidence evidence() const {
    if (!stage_.plan.empty()) return prune::Evidence::Weights;
    return prune::find_criterion(stage_.scores.criterion).evidence;
  }

  template <typename Action>
  void timed(std::string_view what, const Action& action) {
    const auto start = std::chrono::steady_clock::now();
    action();
    seconds_[std::string(what)] +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  [[nodiscard]] prune::ScoreOptions score_options() const {
    prune::ScoreOptions options = stage_.scores;
    if (images_) add_evidence(options, graph_, images_->batches());
    return options;
  }

  /// What is still to go of the budget's kind for this share of the original to remain: counted on
  /// the original, as the result is judged. A cut may change which layers count.
  [[nodiscard]] double excess(double share) const {
    const prune::ChannelMap map(original_);
    const prune::CostModel model(original_, map, original_macs_);
    const auto amount = [&](const prune::Removal& removal) {
      return static_cast<double>(prune::amount(model.cost(removal), stage_.budget.kind));
    };
    const double whole = amount(prune::Removal(map));
    const bool fresh = plan_.cuts.empty();
    const double now = fresh ? whole : amount(prune::resolve(plan_, map, original_));
    return std::max(now - share * whole, 0.0);
  }

  prune::PrunePlan choose(std::int64_t iteration) {
    const prune::ChannelMap map(graph_, choices_);
    prune::BudgetOptions options = stage_.budget;
    const auto kind = options.kind;
    options.macs = iteration == 1 ? original_macs_ : count_macs(graph_, sample_).macs;
    const prune::CostModel model(graph_, map, options.macs);
    const auto present = static_cast<double>(prune::amount(model.cost(prune::Removal(map)), kind));
    if (!stage_.sensitivities.empty()) {
      const SensitivityStore measured =
          load_sensitivities_of(stage_.sensitivities, analysis::model_id(graph_));
      compare_criteria(measured.header);
      options.curves = to_curves(measured);
    }
    options.limits.gone = gone_;
    options.may_be_done = iteration > 1;
    const double share = prune::share_after(options.remaining, iteration, stage_.iterations);
    if (present > 0) options.remaining = std::clamp(1 - excess(share) / present, kLeastShare, 1.0);
    const auto scores = prune::score_channels(map, score_options());
    prune::BudgetResult result =
        stage_.max_loss ? prune::meet_loss(graph_, map, scores, *stage_.max_loss, options)
                        : prune::meet_budget(graph_, map, scores, options);
    note_unmeasured(result.groups);
    held_by_ = result.held_by;
    if (outcomes_.empty()) outcomes_ = result.groups;
    for (const prune::GroupOutcome& group : result.groups) gone_[group.group] += group.removed;
    result.plan.criterion = stage_.scores.criterion;
    return result.plan;
  }

  /// The plan in one go must leave the very positions that its steps have left: it is the one that
  /// is proven.
  void check_composition(const prune::CutMap& step) {
    steps_ = prune::compose_cuts(steps_, step);
    for (const auto& [name, axes] : steps_) {
      const auto composed = cuts_.find(name);
      base::invariant(composed != cuts_.end() && by_axis(composed->second) == by_axis(axes),
                      "the plan of several steps does not leave what they left");
    }
  }

  static std::map<std::int64_t, std::vector<std::int64_t>> by_axis(
      const std::vector<prune::AxisCut>& cuts) {
    std::map<std::int64_t, std::vector<std::int64_t>> kept;
    for (const prune::AxisCut& cut : cuts) kept[cut.axis] = cut.kept;
    return kept;
  }

  /// Curves say what channels of their own criterion cost.
  void compare_criteria(const SensitivityHeader& measured) {
    const auto described = [](std::string_view criterion, prune::Reduction reduction,
                              std::uint64_t seed) {
      std::string text = fmt::format("'{}'", criterion);
      if (reduction != kMeasuredReduction) {
        text += fmt::format(" with reduction '{}'", prune::to_string(reduction));
      }
      if (criterion == "random") text += fmt::format(" of seed {}", seed);
      return text;
    };
    const std::string was = described(measured.criterion, kMeasuredReduction, measured.seed);
    const std::string is =
        described(stage_.scores.criterion, stage_.scores.reduction, stage_.scores.seed);
    if (was == is) return;
    notes_.push_back(
        fmt::format("the sensitivities are of criterion {}, and channels go by {}: other channels "
                    "than those that were measured",
                    was, is));
    base::log_warning("{}", notes_.back());
  }

  void cut(std::int64_t iteration) {
    timed("cut", [&] {
      prune::PrunePlan step =
          stage_.plan.empty() ? choose(iteration) : load_prune_plan(stage_.plan);
      // What was fine-tuned before is to be kept; without that, the model itself is the example.
      reference_ = stage_.fine_tune ? graph_.clone() : original_.clone();
      reference_cuts_.clear();
      if (stage_.mask) {
        static_cast<void>(passes::mask_channels(graph_, step));
      } else {
        reference_cuts_ = passes::cut_channels(graph_, step, choices_);
      }
      plan_ = iteration == 1 ? std::move(step) : prune::compose_plans(plan_, cuts_, step);
      const prune::ChannelMap map(original_);
      choices_ = map.choices();
      cuts_ = prune::cut_map_of(prune::resolve(plan_, map, original_), original_);
      if (!stage_.mask) check_composition(reference_cuts_);
      if (!stage_.fine_tune && !stage_.mask) reference_cuts_ = cuts_;
    });
    if (images_ && iteration == stage_.iterations) {
      accuracy_["cut"] = metrics_json(images_->accuracy(graph_));
    }
  }

  void mend(std::int64_t iteration) {
    const bool wanted = images_.has_value();
    const bool trained = stage_.fine_tune.has_value() || stage_.trained_later;
    if (stage_.reconstruct.value_or(wanted && !trained))
      timed("reconstruct", [&] { reconstruct(iteration); });
    if (!stage_.reestimate_norms.value_or(wanted)) return;
    timed("reestimate_bn", [&] { reestimate(iteration); });
  }

  void reconstruct(std::int64_t iteration) {
    const passes::ReconstructResult result =
        passes::reconstruct_weights(graph_, reference_, reference_cuts_, images_->inputs(),
                                    {.seed = request_.calibration.seed});
    if (iteration < stage_.iterations) return;
    Json layers = Json::array();
    for (const auto& [node, before, after] : result.layers) {
      layers.push_back(
          Json::object({{"name", node}, {"error_before", before}, {"error_after", after}}));
    }
    Json skipped = Json::array();
    for (const auto& [node, reason] : result.skipped) {
      skipped.push_back(Json::object({{"name", node}, {"reason", reason}}));
      notes_.push_back(fmt::format("weights of '{}' were not reconstructed: {}", node, reason));
    }
    facts_["reconstruction"] = Json::object({{"layers", layers}, {"skipped", skipped}});
  }

  /// Statistics of a few images together are not those of a training: where the file fixes such a
  /// batch, larger ones are tried.
  train::ReestimateResult reestimate_norms(std::string& reason) {
    constexpr std::int64_t kLeastBatch = 16;
    constexpr std::int64_t kBatch = 128;
    std::vector<std::vector<Tensor>> inputs = images_->training_inputs();
    std::size_t next = 0;
    const auto next_inputs = [&] {
      return next < inputs.size() ? inputs[next++] : std::vector<Tensor>{};
    };
    const auto fixed = deploy::fixed_batch(graph_);
    if (!fixed || *fixed >= kLeastBatch) return train::reestimate_norms(graph_, next_inputs);
    std::vector<Tensor> all;
    for (const std::vector<Tensor>& batch : inputs) all.push_back(batch.front());
    inputs.clear();
    for (const Tensor& batch : at::concat(all).split(kBatch)) inputs.push_back({batch});
    try {
      ir::Graph free = open_for_training(graph_);
      const train::ReestimateResult result = train::reestimate_norms(free, next_inputs);
      passes::run(free, {passes::close_batch()});
      graph_ = std::move(free);
      return result;
    } catch (const base::UserError& error) {
      reason = no_statistics(*fixed, error);
    } catch (const base::UnsupportedError& error) {
      reason = no_statistics(*fixed, error);
    }
    return {};
  }

  static std::string no_statistics(std::int64_t fixed, const base::Error& error) {
    return fmt::format(
        "normalizations were not re-estimated: the file fixes a batch of {}, whose statistics are "
        "not those of a training, and larger ones do not run ({})",
        fixed, error.what());
  }

  void reestimate(std::int64_t iteration) {
    std::string reason;
    const train::ReestimateResult result = reestimate_norms(reason);
    if (iteration < stage_.iterations) return;
    facts_["reestimated_norms"] = result.norms;
    if (reason.empty() && result.norms == 0) {
      reason = "the model has no BatchNormalization (folded, perhaps): nothing to re-estimate";
    }
    if (!reason.empty()) notes_.push_back(reason);
  }

  void judge() {
    const prune::ChannelMap map(original_);
    const prune::Removal removal = prune::resolve(plan_, map, original_);
    const prune::CostModel model(original_, map, original_macs_);
    const prune::NetworkCost before = model.cost(prune::Removal(map));
    const prune::NetworkCost after = model.cost(removal);
    facts_["criterion"] = plan_.criterion;
    facts_["masked"] = stage_.mask;
    facts_["iterations"] = stage_.iterations;
    facts_["before"] = cost_json(before);
    facts_["after"] = cost_json(after);
    facts_["shares"] = shares_json(before, after);
    facts_["budget"] = budget_json(before, after);
    note_distance(before, after);
    facts_["groups"] = groups_json(map, removal);
    if (images_) {
      accuracy_["after"] = metrics_json(images_->accuracy(graph_));
      facts_["accuracy"] = accuracy_;
      facts_["images"] = images_->description();
      note_loss();
    }
    if (stage_.mask) {
      notes_.emplace_back(
          "channels are masked, none is cut: the file keeps its size and its MACs, what is said to "
          "remain would remain after the cut");
    }
    if (stage_.check) timed("check", [&] { check(); });
    timed("engines", [&] { engines(); });
    facts_["notes"] = notes_;
    facts_["failures"] = failures_;
    Json seconds = Json::object();
    for (const auto& [name, value] : seconds_) seconds[name] = value;
    facts_["seconds"] = seconds;
  }

  Json budget_json(const prune::NetworkCost& before, const prune::NetworkCost& after) {
    if (!stage_.plan.empty()) return {};
    if (stage_.max_loss) {
      return Json::object({{"kind", "loss"},
                           {"wanted", *stage_.max_loss},
                           {"remaining", Json()},
                           {"reached", true}});
    }
    const prune::BudgetKind kind = stage_.budget.kind;
    const double share = static_cast<double>(prune::amount(after, kind)) /
                         static_cast<double>(prune::amount(before, kind));
    const bool reached = share <= stage_.budget.remaining + kShareTolerance;
    if (!reached) {
      failures_.push_back("budget not reached: " +
                          prune::missed_text(kind, stage_.budget.remaining, share, held_by_));
    }
    return Json::object({{"kind", prune::to_string(kind)},
                         {"wanted", stage_.budget.remaining},
                         {"remaining", share},
                         {"reached", reached}});
  }

  [[nodiscard]] Json groups_json(const prune::ChannelMap& map,
                                 const prune::Removal& removal) const {
    std::unordered_map<std::string, std::string> reasons;
    for (const prune::GroupOutcome& outcome : outcomes_) {
      reasons[outcome.group] = outcome.untouched;
    }
    Json groups = Json::array();
    for (const prune::ChannelGroup& group : map.groups()) {
      const auto removed = std::ranges::count_if(
          group.channels, [&](prune::ChannelId channel) { return removal.is_removed(channel); });
      const auto reason = reasons.find(group.name);
      groups.push_back(
          Json::object({{"name", group.name},
                        {"channels", static_cast<std::int64_t>(group.channels.size())},
                        {"removed", static_cast<std::int64_t>(removed)},
                        {"reason", reason == reasons.end() ? std::string() : reason->second}}));
    }
    return groups;
  }

  [[nodiscard]] std::int64_t image_size() const {
    return stage_.image_size.value_or(kOpenImageSize);
  }

  /// Height and width in place of unknown ones.
  [[nodiscard]] tensor::OpenSizes unknown_size() const {
    const Tensor& sample = sample_.front();
    if (images_ && sample.dim() == 4) return {sample.size(2), sample.size(3)};
    return {image_size(), image_size()};
  }

  void check() {
    CutProof proof = prove_cut(original_, plan_, {.unknown_size = unknown_size()});
    if (proof.check) facts_["check"] = to_json(*proof.check);
    if (!proof.failure.empty()) failures_.push_back(std::move(proof.failure));
  }

  void engines() {
    const std::string& before = original_bytes_;
    const std::string after = onnx::encode(graph_, {.opset = request_.opset});
    const Json rows = judge_in_engines({.pruned = graph_,
                                        .original_model = before,
                                        .pruned_model = after,
                                        .engines = stage_.verify.engines,
                                        .unknown_size = unknown_size(),
                                        .latency_rounds = stage_.verify.latency_rounds,
                                        .threads = request_.threads,
                                        .seed = request_.calibration.seed});
    for (const Json& row : rows.items()) {
      if (row.at("passed").as_bool()) continue;
      failures_.push_back(
          fmt::format("{}: {}", row.at("name").as_string(), row.at("failure").as_string()));
    }
    facts_["engines"] = rows;
    facts_["file_bytes"] = Json::object({{"before", static_cast<std::int64_t>(before.size())},
                                         {"after", static_cast<std::int64_t>(after.size())}});
  }

  const PruningRequest& request_;
  const PruneStage& stage_;
  ir::Graph original_;
  std::string original_bytes_;  ///< as ONNX
  ir::Graph graph_;
  std::optional<PruningImages> images_;
  std::vector<Tensor> sample_;  ///< inputs whose sizes costs are counted for
  prune::NodeMacs original_macs_;
  prune::PrunePlan plan_;
  std::optional<prune::CouplingChoices> choices_;  ///< of the original, once it is cut
  prune::CutMap cuts_;                             ///< from the original to what is left
  prune::CutMap steps_;                            ///< the same, put together from the steps' cuts
  ir::Graph reference_;                            ///< what reconstruction comes near to
  prune::CutMap reference_cuts_;                   ///< from it to what is left; empty with masks
  std::string held_by_;
  std::vector<prune::GroupOutcome> outcomes_;
  std::map<std::string, std::int64_t, std::less<>> gone_;  ///< channels lost so far, by group
  Json facts_;
  Json accuracy_ = Json::object();
  std::vector<std::string> notes_;
  std::vector<std::string> failures_;
  std::map<std::string, double> seconds_;
};

}  // namespace

PruningResult prune_model(const PruningRequest& request) {
  return Pruning(request).run();
}

bool pruning_passed(const report::Json& facts) {
  return facts.at("failures").items().empty();
}

bool has_images(const DataSplits& data) {
  return data.only || data.train || data.eval || data.test;
}

}  // namespace espalier::recipe
