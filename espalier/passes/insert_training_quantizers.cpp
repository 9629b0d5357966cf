#include "espalier/passes/insert_training_quantizers.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <span>

#include <ATen/ops/abs.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/base/name_match.h"
#include "espalier/ops/estimator.h"
#include "espalier/ops/weight.h"
#include "espalier/passes/channel_affine.h"
#include "espalier/passes/correct_folded_weights.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/insert_fake_quantize.h"
#include "espalier/passes/merge_shared_quantizers.h"
#include "espalier/passes/name_as_folded.h"
#include "espalier/passes/operands.h"
#include "espalier/passes/pipelines.h"
#include "espalier/quant/target.h"

namespace espalier::passes {
namespace {

void check_trained_model(const ir::Graph& graph, const quant::QuantPlan& plan) {
  if (plan.model_id.empty()) return;
  ir::Graph prepared = graph.clone();
  run(prepared, prepare_for_quantization());
  const std::string id = analysis::model_id(prepared);
  if (id == plan.model_id) return;
  throw base::UserError(
      {.what = "cannot train with the quantization plan",
       .where = fmt::format("graph '{}'", graph.name),
       .got = fmt::format("model '{}'", id),
       .expected = fmt::format("model '{}', for which the plan was made", plan.model_id),
       .hint = "make the plan again for this model"});
}

/// The layer that reads a weight through its weight port.
const ir::Node* layer_of(const ir::Value& weight) {
  for (const ir::Use& use : weight.uses()) {
    if (ops::weight_initializer(*use.node) == &weight) return use.node;
  }
  return nullptr;
}

/// True where the target wants one scale for a layer's weight, which BatchNormalization would
/// multiply into one a channel if it were folded after the training.
bool must_keep_its_scale(const ir::Node& layer, const quant::WeightPlan& weight,
                         const quant::Target* target) {
  const quant::OpRule* rule = target == nullptr ? nullptr : quant::find_rule(*target, layer.op());
  return rule != nullptr && rule->one_scale && weight.params.scale.size() == 1;
}

/// A channel that is scaled by zero cannot be scaled back (correct_folded_weights).
bool has_zero_gamma(const ir::Node& layer) {
  return !batch_norm_affine(*joined_batch_norm(layer))->scale.all().item<bool>();
}

/// Layers whose weights are folded in training too (correct_folded_weights).
std::vector<std::string> layers_to_fold(const ir::Graph& graph, const quant::QuantPlan& plan,
                                        BatchNormForm form) {
  const quant::Target* target = plan.target.empty() ? nullptr : &quant::find_target(plan.target);
  std::vector<std::string> names;
  for (const auto& [name, weight] : plan.weights) {
    const ir::Value* value = graph.find_value(name);
    const ir::Node* layer = value == nullptr ? nullptr : layer_of(*value);
    if (layer == nullptr || value->uses().size() != 1 || !has_correctable_norm(*layer)) continue;
    if (form != BatchNormForm::Folded && !must_keep_its_scale(*layer, weight, target)) continue;
    if (has_zero_gamma(*layer)) {
      base::log_warning(
          "'{}' is trained with the unfolded weight: BatchNormalization behind it has a gamma of "
          "zero, whose channel could not be scaled back",
          layer->name());
    } else {
      names.push_back(layer->name());
    }
  }
  return names;
}

/// Scales of the weight before BatchNormalization is folded into it, where training quantizes that.
void unfold_scales(const ir::Graph& graph, quant::QuantPlan& plan,
                   std::span<const std::string> folded) {
  for (auto& [name, weight] : plan.weights) {
    const ir::Value* value = graph.find_value(name);
    const ir::Node* layer = value == nullptr ? nullptr : layer_of(*value);
    const ir::Node* bn = layer == nullptr ? nullptr : joined_batch_norm(*layer);
    if (bn == nullptr || std::ranges::find(folded, layer->name()) != folded.end()) continue;
    const Tensor factor = at::abs(batch_norm_affine(*bn)->scale).contiguous();
    std::vector<float>& scales = weight.params.scale;
    const auto channels = static_cast<std::size_t>(factor.numel());
    for (std::size_t index = 0; index < scales.size(); ++index) {
      const bool one = scales.size() == channels;
      const double size =
          one ? factor.const_data_ptr<double>()[index] : factor.max().item<double>();
      const double scale = double{scales[index]} / size;
      if (scale >= double{std::numeric_limits<float>::min()} && std::isfinite(scale)) {
        scales[index] = static_cast<float>(scale);
      }
    }
  }
}

[[noreturn]] void refuse_rule(const std::string& pattern, const std::set<std::string>& layers) {
  const std::vector<std::string> names(layers.begin(), layers.end());
  throw base::UserError({.what = "a rule for quantizers matches no quantized layer",
                         .got = fmt::format("'{}'", pattern),
                         .hint = base::suggest_name(pattern, names)});
}

bool applies_to(const EstimatorRule& rule, const ir::Node& node) {
  return base::matches_glob(rule.pattern, node.name()) ||
         base::matches_glob(rule.pattern, node.op());
}

/// The quantizers of a graph after the plan has been applied.
class Trainer {
 public:
  Trainer(ir::Graph& graph, const TrainingQuantizers& options)
      : graph_(graph), options_(options), matched_(options.rules.size(), false) {}

  std::size_t apply() {
    std::size_t changes = 0;
    for (ir::Node* node : graph_.nodes()) {
      if (!is_fake_quantize(*node)) continue;
      const bool constant = node->input(ops::kQuantizedValue)->is_initializer();
      for (const ir::Use& use : node->output()->uses()) {
        if (ops::weight_port(*use.node)) layers_.insert(use.node->name());
      }
      constant ? train_weight(*node) : train_activation(*node);
      ++changes;
    }
    for (std::size_t index = 0; index < matched_.size(); ++index) {
      if (matched_[index]) continue;
      refuse_rule(options_.rules[index].pattern, layers_);
    }
    return changes;
  }

 private:
  using Choice = std::optional<EstimatorChoice> EstimatorRule::*;

  /// What the first rule says that matches a node which reads the quantized value and that chooses
  /// for such values; `standard` where there is none.
  const EstimatorChoice& choice_for(const ir::Node& quantizer, Choice choice,
                                    const EstimatorChoice& standard) {
    const EstimatorChoice* chosen = nullptr;
    for (std::size_t index = 0; index < options_.rules.size(); ++index) {
      const EstimatorRule& rule = options_.rules[index];
      const bool matches = std::ranges::any_of(quantizer.output()->uses(), [&](const ir::Use& use) {
        return applies_to(rule, *use.node);
      });
      if (!matches) continue;
      matched_[index] = true;
      if (chosen == nullptr && rule.*choice) chosen = &*(rule.*choice);
    }
    return chosen == nullptr ? standard : *chosen;
  }

  void train_weight(ir::Node& node) {
    const EstimatorChoice& choice = choice_for(node, &EstimatorRule::weights, options_.weights);
    const bool is_layer = std::ranges::any_of(node.output()->uses(), [&](const ir::Use& use) {
      return ops::weight_initializer(*use.node) == node.input(ops::kQuantizedValue);
    });
    if (!is_layer || choice.estimator.empty()) return;
    if (!choice.per_channel && node.has("axis")) {
      const Tensor scale = node.input(ops::kScale)->constant().max();
      node.remove("axis");
      replace_constant(graph_, node, ops::kScale, scale.reshape({}).contiguous());
      replace_constant(graph_, node, ops::kZeroPoint, at::zeros({}, at::kInt));
    }
    node.set("estimator", choice.estimator);
    node.set("role", std::string("weight"));
  }

  void train_activation(ir::Node& node) {
    const EstimatorChoice& choice =
        choice_for(node, &EstimatorRule::activations, options_.activations);
    if (choice.estimator.empty()) return;
    const FakeQuantizeParams params = fake_quantize_params(node);
    Start start{.name = choice.estimator,
                .qmin = static_cast<double>(params.qmin),
                .qmax = static_cast<double>(params.qmax),
                .scale = double{params.scale.item<float>()},
                .zero = static_cast<double>(params.zero_point.item<std::int32_t>())};
    start.is_signed = params.qmin < 0;
    if (start.name == "lsq_plus" && start.is_signed) {
      base::log_warning_once(
          "lsq_plus learns offsets of unsigned codes; signed ones are symmetric here and get lsq");
      start.name = "lsq";
    }
    settle_start(start);
    node.set("estimator", start.name);
    node.set("role", std::string("activation"));
    if (start.name.starts_with("moving_average")) node.set("rate", options_.rate);
    if (start.name == "moving_average_min_max" && start.is_signed) {
      node.set("symmetric", std::int64_t{1});
    }
    const auto zero = static_cast<float>(start.zero);
    const ops::Estimator& facts = *ops::find_estimator(start.name);
    const bool moving_zero = ops::contains(facts.observed, ops::kZeroPoint);
    replace_constant(graph_, node, ops::kScale, at::tensor(static_cast<float>(start.scale)));
    replace_constant(graph_, node, ops::kZeroPoint,
                     at::full({}, zero, moving_zero ? at::kFloat : at::kInt));
    if (start.state.empty()) return;
    const std::string name =
        graph_.unique_value_name(node.input(ops::kQuantizedValue)->name() + "_state");
    const Tensor state = at::tensor(start.state).to(at::kFloat);
    graph_.set_input(node, ops::kEstimatorState, &graph_.add_initializer(name, state));
  }

  /// What an estimator starts with.
  struct Start {
    std::string name;
    double qmin = 0;
    double qmax = 0;
    double scale = 1;
    double zero = 0;
    bool is_signed = false;
    std::vector<double> state = {};
  };

  /// Estimators of magnitudes have a zero point at the lower end or in the middle.
  static void center(Start& start) {
    if (start.zero == start.qmin || start.is_signed) return;
    const double magnitude =
        std::max(start.qmax - start.zero, start.zero - start.qmin) * start.scale;
    start.zero = std::floor((start.qmin + start.qmax + 1) / 2);
    start.scale = magnitude / (start.qmax - start.zero);
  }

  void settle_start(Start& start) const {
    const double weight = 1 / (1 - double{options_.rate});
    const bool magnitudes = start.name == "abs_max" || start.name == "range_abs_max" ||
                            start.name == "moving_average_abs_max" || start.name == "pact";
    if (magnitudes) center(start);
    const double magnitude = (start.qmax - start.zero) * start.scale;
    if (start.name == "pact") {
      start.state = {magnitude};
    } else if (start.name == "moving_average_abs_max") {
      start.state = {magnitude * weight, weight};
    } else if (start.name == "moving_average_min_max") {
      start.state = {(start.qmin - start.zero) * start.scale * weight, magnitude * weight, weight};
    } else if (start.name == "lsq_plus") {
      start.state = {-start.zero * start.scale};
    } else if (start.name == "range_abs_max") {
      start.state.assign(static_cast<std::size_t>(options_.window) + 2, 0.0);
      start.state[0] = options_.window > 1 ? 1 : 0;
      start.state[1] = 1;
      start.state[2] = magnitude;
    }
  }

  ir::Graph& graph_;
  const TrainingQuantizers& options_;
  std::vector<bool> matched_;
  std::set<std::string> layers_ = {};  ///< names of those that read quantized values
};

std::size_t insert_training_quantizers_in(ir::Graph& graph, const quant::QuantPlan& plan,
                                          const TrainingQuantizers& options) {
  if (options.window < 1) {
    throw base::UserError({.what = "bad window of range_abs_max",
                           .got = fmt::format("{}", options.window),
                           .expected = "at least 1 batch"});
  }
  check_trained_model(graph, plan);
  name_as_folded().apply(graph);
  quant::QuantPlan start = plan;
  start.model_id.clear();
  start.biases.clear();
  start.bias_corrections.clear();
  const std::vector<std::string> folded = layers_to_fold(graph, start, options.batch_norm);
  unfold_scales(graph, start, folded);
  for (auto& [name, weight] : start.weights) weight.rounding.clear();
  insert_fake_quantize(start, {.round_biases = false}).apply(graph);
  const std::size_t changes = Trainer(graph, options).apply();
  merge_shared_quantizers(graph, start);
  correct_folded_weights(folded).apply(graph);
  return changes;
}

}  // namespace

void check_estimator_rules(const ir::Graph& graph, const std::vector<EstimatorRule>& rules) {
  for (const EstimatorRule& rule : rules) {
    const auto applies = [&](const ir::Node* node) { return applies_to(rule, *node); };
    if (std::ranges::any_of(graph.nodes(), applies)) continue;
    std::set<std::string> layers;
    for (const ir::Node* node : graph.nodes()) {
      if (ops::weight_port(*node)) layers.insert(node->name());
    }
    refuse_rule(rule.pattern, layers);
  }
}

Pass insert_training_quantizers(const quant::QuantPlan& plan, const TrainingQuantizers& options) {
  return {.name = "insert_training_quantizers", .apply = [plan, options](ir::Graph& graph) {
            return insert_training_quantizers_in(graph, plan, options);
          }};
}

}  // namespace espalier::passes
