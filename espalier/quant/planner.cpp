#include "espalier/quant/planner.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <limits>
#include <optional>
#include <set>

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/quant/clusters.h"
#include "espalier/quant/distribution.h"
#include "espalier/quant/quality.h"
#include "espalier/quant/sparing.h"
#include "espalier/quant/weights.h"
#include "espalier/tensor/parallel.h"

namespace espalier::quant {
namespace {

constexpr std::string_view kAuto = "auto";

/// One way to quantize a cluster.
struct Candidate {
  std::string method;
  Range range;
  tensor::ScaleAndZero params;
};

struct Settings {
  const Target& target;
  RangeOptions range;
  WeightOptions weight;
  bool quantized_bias = true;
  bool inside_activation = true;
};

/// Weight of clipping against rounding when methods are compared: clipped values are few, large,
/// and all err to the same side, which hurts more downstream than their squares say.
constexpr double kClippingWeight = 3.0;

void check_bits(const BitsRule& rule) {
  for (const std::optional<int>& bits : {rule.weights, rule.activations}) {
    base::check(!bits || (*bits >= 2 && *bits <= 16),
                "bits of the layers '{}': got {}, expected 2..16", rule.pattern, bits.value_or(0));
  }
}

Settings settings_of(const PlanOptions& options) {
  const Target& target = find_target(options.target);
  const Formats& row = formats(target);
  Settings settings{.target = target, .range = {}, .weight = {}};
  settings.range = {.grid = row.activations,
                    .symmetric = options.symmetric.value_or(row.symmetric_activations),
                    .hist_percent = options.hist_percent,
                    .percentile = options.percentile};
  settings.range.grid.bits = options.activation_bits;
  settings.weight.grid = options.reduce_range ? row.reduced_weights : row.weights;
  settings.weight.grid.bits = options.weight_bits;
  settings.weight.least_error = options.weight_method == "mse";
  if (!options.per_channel.value_or(row.per_channel_weights)) settings.weight.axis = -1;
  settings.quantized_bias = row.quantized_bias;
  settings.inside_activation = row.range_inside_activation;
  return settings;
}

/// Parameters of a range, made to lie inside the merged activation's range where the target asks
/// for it: rounding may put the outermost level a hair beyond.
tensor::ScaleAndZero params_inside(Range range, const ops::OutputRange& bounds,
                                   const Settings& settings) {
  const tensor::QuantGrid& grid = settings.range.grid;
  if (settings.inside_activation) {
    range.low = std::max(range.low, std::min(bounds.low, 0.0));
    range.high = std::min(range.high, std::max(bounds.high, 0.0));
  }
  tensor::ScaleAndZero params = params_for_range(range, grid, settings.range.symmetric);
  if (!settings.inside_activation) return params;
  const auto outside = [&] {
    const Range covered = represented_range(params, grid);
    return static_cast<double>(static_cast<float>(covered.low)) < bounds.low ||
           static_cast<double>(static_cast<float>(covered.high)) > bounds.high;
  };
  const Range covered = represented_range(params, grid);
  double shrink = 1.0;
  if (covered.high > bounds.high && bounds.high > 0) shrink = bounds.high / covered.high;
  if (covered.low < bounds.low && bounds.low < 0) {
    shrink = std::min(shrink, bounds.low / covered.low);
  }
  params.scale = static_cast<float>(static_cast<double>(params.scale) * shrink);
  for (int step = 0; step < 4 && outside(); ++step)
    params.scale = std::nextafter(params.scale, 0.0F);
  return params;
}

bool same_params(const Candidate& left, const Candidate& right) {
  return left.params.scale == right.params.scale &&
         left.params.zero_point == right.params.zero_point;
}

/// The candidates of a cluster: one for a named method, all different ones for "auto".
std::vector<Candidate> candidates_for(const Cluster& cluster, const Settings& settings,
                                      const std::string& method) {
  std::vector<Candidate> candidates;
  const auto add = [&](const RangeMethod& row) {
    Candidate candidate{.method = std::string(row.name),
                        .range = row.find(cluster.statistics, settings.range),
                        .params = {}};
    candidate.params = params_inside(candidate.range, cluster.bounds, settings);
    const bool known = std::ranges::any_of(
        candidates, [&](const Candidate& other) { return same_params(candidate, other); });
    if (!known) candidates.push_back(std::move(candidate));
  };
  if (method != kAuto) {
    add(find_range_method(method));
    return candidates;
  }
  for (const RangeMethod& row : range_methods()) add(row);
  return candidates;
}

ActivationPlan activation_plan(const Candidate& candidate, const Cluster& cluster,
                               const Settings& settings) {
  ActivationPlan plan;
  plan.params = {.grid = settings.range.grid,
                 .scale = {candidate.params.scale},
                 .zero_point = {candidate.params.zero_point},
                 .axis = -1};
  const Range covered = represented_range(candidate.params, settings.range.grid);
  const Quality quality = quality_of(cluster.statistics.histogram, plan.params);
  plan.method = candidate.method;
  plan.low = covered.low;
  plan.high = covered.high;
  plan.observed_low = static_cast<double>(cluster.statistics.histogram.min());
  plan.observed_high = static_cast<double>(cluster.statistics.histogram.max());
  plan.sqnr_db = quality.sqnr_db;
  plan.clipped = quality.clipped;
  return plan;
}

/// The candidate with the least quantization error on the histogram; the first of equals.
std::size_t least_error(const std::vector<Candidate>& candidates, const Cluster& cluster,
                        const tensor::QuantGrid& grid) {
  if (candidates.size() == 1) return 0;
  const Distribution distribution(cluster.statistics.histogram);
  std::size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t index = 0; index < candidates.size(); ++index) {
    const auto errors = distribution.errors(candidates[index].params, grid);
    const double error = errors.inside + kClippingWeight * errors.clipped;
    if (error >= least) continue;
    least = error;
    best = index;
  }
  return best;
}

/// What the rules for bits say about the layers and values of a graph.
class LayerBits {
 public:
  /// Rules for layers that `kept` leaves in floating point apply to nothing.
  LayerBits(const ir::Graph& graph, const Placement& placement, const KeptFloat& kept,
            const std::vector<BitsRule>& rules) {
    std::set<std::string> used;
    const auto rule_for = [&](const ir::Node& node) -> const BitsRule* {
      const auto matches = [&](const BitsRule& rule) { return applies_to(rule, node); };
      const auto place = std::ranges::find_if(rules, matches);
      if (place == rules.end()) return nullptr;
      used.insert(place->pattern);
      return &*place;
    };
    for (const QuantizedLayer& layer : placement.layers) {
      const BitsRule* rule = rule_for(*graph.find_node(layer.node));
      if (rule != nullptr && rule->weights) weights_[layer.node] = *rule->weights;
    }
    for (const EdgeKey& edge : placement.edges) {
      const ir::Node* node = graph.find_node(edge.node);
      const BitsRule* rule = node == nullptr ? nullptr : rule_for(*node);
      if (rule == nullptr || !rule->activations) continue;
      int& bits = values_[node->input(edge.index)->name()];
      bits = std::max(bits, *rule->activations);
    }
    for (const auto& [name, reason] : kept) {
      if (const ir::Node* node = graph.find_node(name)) (void)rule_for(*node);
    }
    for (const BitsRule& rule : rules) {
      if (used.contains(rule.pattern)) continue;
      std::vector<std::string> known;
      for (const QuantizedLayer& layer : placement.layers) known.push_back(layer.node);
      throw base::UserError({.what = "a rule for bits matches no quantized layer",
                             .got = fmt::format("'{}'", rule.pattern),
                             .hint = base::suggest_name(rule.pattern, known)});
    }
  }

  [[nodiscard]] std::optional<int> of_weight(const std::string& layer) const {
    const auto place = weights_.find(layer);
    return place == weights_.end() ? std::nullopt : std::optional<int>(place->second);
  }

  [[nodiscard]] std::optional<int> of_values(const std::vector<std::string>& values) const {
    std::optional<int> most;
    for (const std::string& value : values) {
      const auto place = values_.find(value);
      if (place != values_.end()) most = std::max(most.value_or(0), place->second);
    }
    return most;
  }

 private:
  std::map<std::string, int> weights_;
  std::map<std::string, int> values_;
};

/// Does work(0) to work(count - 1) on all threads; of several failures the first by index counts.
template <typename Work>
void for_each_index(std::size_t count, const Work& work) {
  std::vector<std::exception_ptr> failures(count);
  std::atomic<std::size_t> next = 0;
  const auto take_turns = [&](std::int64_t /*begin*/, std::int64_t /*end*/) {
    for (std::size_t index = next++; index < count; index = next++) {
      try {
        work(index);
      } catch (...) {
        failures[index] = std::current_exception();
      }
    }
  };
  at::parallel_for(0, at::get_num_threads(), 1, take_turns);
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

/// Fills a plan cluster by cluster.
class Planner {
 public:
  Planner(const ir::Graph& graph, const Statistics& statistics, const PlanOptions& options,
          const KeptFloat& kept)
      : graph_(graph),
        options_(options),
        settings_(settings_of(options)),
        statistics_(statistics),
        placement_(place_for(graph, options, kept)),
        clusters_(make_clusters(placement_, statistics)),
        bits_(graph, placement_, kept, options.bits) {}

  QuantPlan plan() {
    plan_.target = settings_.target.name;
    plan_.model_id = analysis::model_id(graph_);
    plan_.calibration = fmt::format("{} samples, micro-batches of {}", statistics_.samples,
                                    statistics_.micro_batch);
    plan_.edges = placement_.edges;
    plan_.float_nodes = placement_.float_nodes;
    choose_alone();
    plan_weights();
    if (options_.method == kAuto && options_.tune_ranges && options_.error) {
      for (const Cluster& cluster : clusters_) choose_by_error(cluster);
    }
    return std::move(plan_);
  }

 private:
  [[nodiscard]] Settings settings_for(const Cluster& cluster) const {
    Settings settings = settings_;
    if (const auto bits = bits_.of_values(cluster.values)) settings.range.grid.bits = *bits;
    return settings;
  }

  void set(const Cluster& cluster, const ActivationPlan& entry) {
    for (const std::string& value : cluster.values) plan_.activations[value] = entry;
  }

  /// Chooses every cluster's parameters by its own histogram.
  void choose_alone() {
    std::vector<ActivationPlan> chosen(clusters_.size());
    for_each_index(clusters_.size(), [&](std::size_t index) {
      const Cluster& cluster = clusters_[index];
      const Settings settings = settings_for(cluster);
      const auto candidates = candidates_for(cluster, settings, options_.method);
      const std::size_t best = least_error(candidates, cluster, settings.range.grid);
      chosen[index] = activation_plan(candidates[best], cluster, settings);
    });
    for (std::size_t index = 0; index < clusters_.size(); ++index) {
      set(clusters_[index], chosen[index]);
    }
  }

  /// Tries every candidate with all other choices as they stand; the present one wins ties.
  void choose_by_error(const Cluster& cluster) {
    const Settings settings = settings_for(cluster);
    const auto candidates = candidates_for(cluster, settings, options_.method);
    std::size_t best = least_error(candidates, cluster, settings.range.grid);
    double least = error_with(cluster, candidates[best]);
    const std::size_t start = best;
    for (std::size_t index = 0; index < candidates.size(); ++index) {
      if (index == start) continue;
      const double error = error_with(cluster, candidates[index]);
      if (!(error < least)) continue;
      least = error;
      best = index;
    }
    set(cluster, activation_plan(candidates[best], cluster, settings));
    plan_weights();
  }

  double error_with(const Cluster& cluster, const Candidate& candidate) {
    set(cluster, activation_plan(candidate, cluster, settings_for(cluster)));
    plan_weights();
    return options_.error(plan_);
  }

  /// Weights, and biases where the target keeps them as int32: their scales depend on the inputs'.
  void plan_weights() {
    plan_.weights = weight_plans();
    if (!settings_.quantized_bias) return;
    for (const QuantizedLayer& layer : placement_.layers) {
      if (layer.bias.empty()) continue;
      const Tensor& bias = graph_.find_value(layer.bias)->constant();
      base::check(at::isfinite(bias).all().item<bool>(),
                  "cannot quantize the bias '{}' of node '{}': got NaN or infinite elements",
                  layer.bias, layer.node);
      // Finer codes have no integer kernels, and int32 does not reach far at their scales' product.
      if (finer_than_bytes(layer)) continue;
      plan_.biases[layer.node] = layer.bias;
      (void)fit_bias(plan_.weights.at(layer.weight), bias,
                     plan_.activations.at(layer.input).params.scale.front());
    }
  }

  /// True where the target wants one scale for the weight and the user has not said otherwise.
  [[nodiscard]] bool has_one_scale(const QuantizedLayer& layer) const {
    const OpRule* rule = find_rule(settings_.target, graph_.find_node(layer.node)->op());
    return rule != nullptr && rule->one_scale && !options_.per_channel.value_or(false);
  }

  [[nodiscard]] bool finer_than_bytes(const QuantizedLayer& layer) const {
    return plan_.weights.at(layer.weight).params.grid.bits > 8 ||
           plan_.activations.at(layer.input).params.grid.bits > 8;
  }

  const std::map<std::string, WeightPlan>& weight_plans() {
    if (!weights_.empty()) return weights_;
    const std::vector<QuantizedLayer>& layers = placement_.layers;
    std::vector<WeightPlan> plans(layers.size());
    for_each_index(layers.size(), [&](std::size_t index) {
      const QuantizedLayer& layer = layers[index];
      WeightOptions options = settings_.weight;
      if (const auto bits = bits_.of_weight(layer.node)) options.grid.bits = *bits;
      if (options.axis >= 0) options.axis = has_one_scale(layer) ? -1 : layer.axis;
      plans[index] =
          plan_weight(graph_.find_value(layer.weight)->constant(), layer.weight, options);
    });
    for (std::size_t index = 0; index < layers.size(); ++index) {
      weights_[layers[index].weight] = std::move(plans[index]);
    }
    for (const std::string& name : placement_.constants) weights_[name] = plan_constant(name);
    return weights_;
  }

  /// A constant operand of an elementwise operator has the format of activations.
  [[nodiscard]] WeightPlan plan_constant(const std::string& name) const {
    const Tensor constant = graph_.find_value(name)->constant().to(at::kFloat).contiguous();
    Histogram histogram;
    histogram.add({constant.data_ptr<float>(), static_cast<std::size_t>(constant.numel())});
    base::check(histogram.nans() + histogram.infinities() == 0,
                "cannot quantize the constant '{}': got NaN or infinite elements", name);
    const Range range{.low = static_cast<double>(histogram.min()),
                      .high = static_cast<double>(histogram.max())};
    const auto params = params_for_range(range, settings_.range.grid, settings_.range.symmetric);
    WeightPlan plan;
    plan.params = {.grid = settings_.range.grid,
                   .scale = {params.scale},
                   .zero_point = {params.zero_point},
                   .axis = -1};
    plan.sqnr_db = sqnr_db(constant, plan.params);
    return plan;
  }

  const ir::Graph& graph_;
  const PlanOptions& options_;
  Settings settings_;
  const Statistics& statistics_;
  Placement placement_;
  std::vector<Cluster> clusters_;
  LayerBits bits_;
  std::map<std::string, WeightPlan> weights_;
  QuantPlan plan_;
};

bool has_statistics(const Placement& placement, const Statistics& statistics) {
  return std::ranges::all_of(placement.groups, [&](const ValueGroup& group) {
    return std::ranges::all_of(group.observed, [&](const std::string& value) {
      return statistics.values.contains(value);
    });
  });
}

}  // namespace

bool applies_to(const BitsRule& rule, const ir::Node& node) {
  return base::matches_glob(rule.pattern, node.name()) ||
         base::matches_glob(rule.pattern, node.op());
}

std::vector<std::string> describe_shared_bits(const ir::Graph& prepared, const QuantPlan& plan,
                                              const PlanOptions& options) {
  struct Readers {
    std::vector<std::string> named = {};
    std::vector<std::string> others = {};
  };
  std::map<std::string, Readers> readers;
  for (const EdgeKey& edge : plan.edges) {
    const ir::Node* node = edge.node.empty() ? nullptr : prepared.find_node(edge.node);
    if (node == nullptr) continue;
    const auto rule = std::ranges::find_if(
        options.bits, [&](const BitsRule& each) { return applies_to(each, *node); });
    const bool named = rule != options.bits.end() && rule->activations.has_value();
    Readers& of_value = readers[node->input(edge.index)->name()];
    (named ? of_value.named : of_value.others).push_back(edge.node);
  }
  std::vector<std::string> lines;
  for (const auto& [value, of_value] : readers) {
    const auto place = plan.activations.find(value);
    if (of_value.named.empty() || of_value.others.empty() || place == plan.activations.end())
      continue;
    const int bits = place->second.params.grid.bits;
    if (bits == options.activation_bits) continue;
    lines.push_back(
        fmt::format("'{}' has {} bits by the rule for '{}'; '{}', which no rule names, "
                    "reads it too",
                    value, bits, of_value.named.front(), of_value.others.front()));
  }
  return lines;
}

void check_options(const PlanOptions& options) {
  static_cast<void>(find_target(options.target));
  for (const BitsRule& rule : options.bits) check_bits(rule);
  base::check(options.activation_bits >= 2 && options.activation_bits <= 16,
              "activation bits: got {}, expected 2..16", options.activation_bits);
  base::check(options.weight_bits >= 2 && options.weight_bits <= 16,
              "weight bits: got {}, expected 2..16", options.weight_bits);
  base::check(options.weight_method == "mse" || options.weight_method == "abs_max",
              "unknown weight method: got '{}', expected 'mse' or 'abs_max'",
              options.weight_method);
  base::check(options.float_mac_share >= 0 && options.float_mac_share <= 1,
              "share of float multiply-accumulates: got {}, expected 0..1",
              options.float_mac_share);
  base::check(options.hist_percent > 0 && options.hist_percent <= 1,
              "hist percent: got {}, expected a share in (0, 1]", options.hist_percent);
  base::check(options.percentile > 50 && options.percentile <= 100,
              "percentile: got {}, expected a percentage in (50, 100]", options.percentile);
  if (options.method != kAuto) (void)find_range_method(options.method);
}

int most_bits(const PlanOptions& options) {
  int most = std::max(options.activation_bits, options.weight_bits);
  for (const BitsRule& rule : options.bits) {
    most = std::max({most, rule.weights.value_or(0), rule.activations.value_or(0)});
  }
  return most;
}

void check_layer_rules(const ir::Graph& prepared, const PlanOptions& options) {
  const Placement placement = place_for(prepared, options, {});
  static_cast<void>(LayerBits(prepared, placement, {}, options.bits));
  if (placement.layers.empty()) refuse_empty(prepared.name, placement.float_nodes);
}

void refuse_empty(const std::string& model, const std::vector<FloatNode>& reasons) {
  std::vector<std::string> first;
  for (const FloatNode& node : reasons) {
    if (first.size() == 3) break;
    first.push_back(fmt::format("'{}' ({}): {}", node.node, node.op, node.reason));
  }
  throw base::UnsupportedError(
      {.what = fmt::format("nothing of the model '{}' can be quantized", model),
       .got = first.empty() ? "no convolution or matrix product with constant weights"
                            : fmt::format("{}", fmt::join(first, "; "))});
}

std::vector<std::string> values_to_observe(const ir::Graph& prepared, const PlanOptions& options) {
  check_options(options);
  std::vector<std::string> values;
  const auto add = [&](const Placement& placed) {
    for (const ValueGroup& group : placed.groups) {
      for (const std::string& value : group.observed) {
        if (std::ranges::find(values, value) == values.end()) values.push_back(value);
      }
    }
  };
  add(place_for(prepared, options, {}));
  // Sparing an end layer may move a quantizer, from a Flatten's result to what it reads for
  // example.
  for (const ir::Node* node : layers_to_spare(prepared, options)) {
    add(place_for(prepared, options, {{node->name(), "spared"}}));
  }
  return values;
}

QuantPlan make_plan(const ir::Graph& prepared, const Statistics& statistics,
                    const PlanOptions& options) {
  check_options(options);
  const std::string id = analysis::model_id(prepared);
  base::check(statistics.model_id.empty() || statistics.model_id == id,
              "the statistics belong to another model: got id '{}', expected '{}' (calibrate this "
              "model)",
              statistics.model_id, id);
  QuantPlan plan = Planner(prepared, statistics, options, {}).plan();
  if (!options.error || options.float_mac_share <= 0) return plan;
  const PlanWith plan_with = [&](const KeptFloat& kept) -> std::optional<QuantPlan> {
    if (!has_statistics(place_for(prepared, options, kept), statistics)) return std::nullopt;
    return Planner(prepared, statistics, options, kept).plan();
  };
  return spare_ends(prepared, options, plan_with, std::move(plan));
}

}  // namespace espalier::quant
