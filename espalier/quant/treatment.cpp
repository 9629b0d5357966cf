#include "espalier/quant/treatment.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <unordered_set>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/ops/weight.h"

namespace espalier::quant {
namespace {

bool may_be_float(const ir::Value& value) {
  const tensor::DType type = value.type().dtype;
  return type == tensor::DType::Float32 || type == tensor::DType::Undefined;
}

bool computes_floats(const ir::Node& node) {
  const ops::OpKind kind = ops::kind_of(node);
  if (kind == ops::OpKind::Shape) return false;
  return std::ranges::any_of(node.outputs(), [](const ir::Value* output) {
    return output != nullptr && (tensor::is_floating(output->type().dtype) ||
                                 output->type().dtype == tensor::DType::Undefined);
  });
}

std::optional<std::string> matching_pattern(const ir::Node& node,
                                            const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    if (base::matches_glob(pattern, node.name()) || base::matches_glob(pattern, node.op())) {
      return pattern;
    }
  }
  return std::nullopt;
}

void check_patterns(const ir::Graph& graph, const std::vector<std::string>& patterns) {
  for (const std::string& pattern : patterns) {
    std::vector<std::string> names;
    for (const ir::Node* node : graph.nodes()) {
      names.push_back(node->name());
      names.push_back(node->op());
    }
    const bool found = std::ranges::any_of(
        names, [&](const std::string& name) { return base::matches_glob(pattern, name); });
    if (found) continue;
    const std::string near = base::nearest_name(pattern, names);
    throw base::UserError({.what = "a skip pattern matches nothing",
                           .got = fmt::format("'{}'", pattern),
                           .expected = "a glob on a node name or an operator type",
                           .hint = near.empty() ? "" : fmt::format("did you mean '{}'", near)});
  }
}

void make_float(NodeDecision& decision, std::string reason) {
  decision.treatment = Treatment::Float;
  decision.reads.clear();
  decision.constants.clear();
  decision.quantized_output = false;
  decision.reason = std::move(reason);
}

/// As an option of the user says.
void leave_out(NodeDecision& decision, std::string reason) {
  make_float(decision, std::move(reason));
  decision.asked = true;
}

/// A product's addition of a constant vector: MatMul followed by Add is a layer with a bias.
bool is_bias_of_product(const ir::Node& node) {
  if (!node.is("Add")) return false;
  for (const ir::Value* input : node.inputs()) {
    if (input == nullptr || input->producer() == nullptr) continue;
    const bool other_constant = std::ranges::any_of(
        node.inputs(), [](const ir::Value* value) { return value && value->is_initializer(); });
    if (input->producer()->is("MatMul") && input->uses().size() == 1) return other_constant;
  }
  return false;
}

/// Spatial axes of a convolution's weight; 0 when they are not known.
std::size_t spatial_axes(const ir::Node& node) {
  const ir::Value* weight = ops::weight_initializer(node);
  const std::int64_t rank = weight == nullptr ? 0 : weight->constant().dim();
  return static_cast<std::size_t>(std::max<std::int64_t>(rank - 2, 0));
}

bool condition_holds(const ir::Node& node, Condition condition) {
  switch (condition) {
    case Condition::Always:
    case Condition::InnerValue:  // asked once all treatments are known
      return true;
    case Condition::PassesValues: {
      const bool cropped =
          node.get_string("coordinate_transformation_mode", "") == "tf_crop_and_resize";
      return ops::passes_values(node) && !cropped && node.input(0) != nullptr &&
             !node.input(0)->is_initializer();
    }
    case Condition::PlainGemm:
      return node.get_float("alpha", 1.0F) == 1.0F && node.get_float("beta", 1.0F) == 1.0F &&
             node.get_int("transA", 0) == 0;
    case Condition::Image:
      return spatial_axes(node) != 1;
    case Condition::WeightBehind:
      return ops::weight_port(node).value_or(1) == 1;
  }
  return false;
}

/// Why a rule does not hold.
std::string broken_condition(const OpRule& rule) {
  if (!rule.reason.empty()) return std::string(rule.reason);
  return rule.condition == Condition::PlainGemm ? "alpha, beta or transA change the product"
                                                : "it computes new values";
}

/// True for a bias that holds one value for each output channel, on its last axis.
bool is_one_a_channel(const ir::Value& bias, const ir::Value& weight,
                      std::optional<std::int64_t> axis) {
  const Tensor& values = bias.constant();
  if (values.dim() == 0 || values.numel() != values.size(-1)) return false;
  return !axis || values.numel() % weight.constant().size(*axis) == 0;
}

}  // namespace

Decisions::Decisions(const ir::Graph& graph, const Target& target,
                     const PlacementOptions& options) {
  check_patterns(graph, options.skip);
  // Later decisions look at the treatment of neighbours: first the table's word for every node.
  const std::vector<const ir::Node*> nodes = graph.nodes();
  for (const ir::Node* node : nodes) decide(*node, options, target);
  for (const ir::Node* node : nodes) {
    NodeDecision& decision = at(*node);
    if (decision.treatment == Treatment::Weighted) decide_weighted(*node, decision, options);
  }
  refuse_shared_weights(graph);
  measure_depths(graph);
  activate(graph);
}

void Decisions::measure_depths(const ir::Graph& graph) {
  for (const ir::Node* node : graph.nodes()) {
    std::size_t depth = 0;
    for (const ir::Value* input : node->inputs()) {
      if (input != nullptr) depth = std::max(depth, depth_[input]);
    }
    depth += ops::weight_initializer(*node) != nullptr ? 1 : 0;
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) depth_[output] = depth;
    }
  }
}

void Decisions::decide(const ir::Node& node, const PlacementOptions& options,
                       const Target& target) {
  NodeDecision& decision = table_[&node];
  decision.computes_floats = computes_floats(node);
  if (!decision.computes_floats) return make_float(decision, "computes no floating point values");
  if (const auto pattern = matching_pattern(node, options.skip)) {
    return leave_out(decision, fmt::format("left out by '{}'", *pattern));
  }
  if (const auto kept = options.keep_float.find(node.name()); kept != options.keep_float.end()) {
    return make_float(decision, kept->second);
  }
  const OpRule* rule = node.domain().empty() ? find_rule(target, node.op()) : nullptr;
  if (rule == nullptr) {
    return make_float(decision, fmt::format("target '{}' has no integer form of it", target.name));
  }
  if (rule->treatment == Treatment::Float) return make_float(decision, std::string(rule->reason));
  if (node.output() == nullptr || !may_be_float(*node.output())) {
    return make_float(decision, "its result is not float32");
  }
  if (!condition_holds(node, rule->condition)) {
    return make_float(decision, broken_condition(*rule));
  }
  decision.treatment = rule->treatment;
  decision.quantized_output = rule->quantized_output;
  const bool adds =
      rule->treatment == Treatment::Quantized || rule->treatment == Treatment::FusedSum;
  if (adds && is_bias_of_product(node)) {
    decision.treatment = Treatment::Activation;
    decision.quantized_output = false;
  }
  decision.inner_only = rule->condition == Condition::InnerValue;
}

void Decisions::decide_weighted(const ir::Node& node, NodeDecision& decision,
                                const PlacementOptions& options) {
  const auto port = ops::weight_port(node);
  if (!port) {
    // A product of two computed values quantizes as any operator of two inputs.
    if (ops::kind_of(node) == ops::OpKind::MatMul) {
      decision.treatment = Treatment::Quantized;
      return;
    }
    return make_float(decision, "its weight is computed");
  }
  const ir::Value& weight = *node.input(*port);
  if (!weight.is_initializer()) return make_float(decision, "its weight is already quantized");
  if (weight.type().dtype != tensor::DType::Float32) {
    return make_float(decision, fmt::format("its weight is {}", to_string(weight.type().dtype)));
  }
  const ir::Value* input = node.input(*port == 0 ? 1 : 0);
  if (input == nullptr || input->is_initializer() || !may_be_float(*input)) {
    return make_float(decision, "its input is not a computed float32 value");
  }
  const int bias_port = ops::find(node)->bias;
  const ir::Value* bias =
      bias_port == ops::kNoPort ? nullptr : node.input(static_cast<std::size_t>(bias_port));
  if (bias != nullptr && !bias->is_initializer()) {
    return make_float(decision, "its bias is computed");
  }
  if (bias != nullptr && !is_one_a_channel(*bias, weight, ops::weight_axis(node))) {
    return make_float(decision, "its bias is not one value for each output channel");
  }
  if (!options.quantize_first && from_graph_input(*input)) {
    return leave_out(decision, "first layer, kept in floating point by option");
  }
  if (!options.quantize_last && leaves_graph(anchor(*node.output()))) {
    return leave_out(decision, "last layer, kept in floating point by option");
  }
  decision.reads = {*port == 0 ? std::size_t{1} : std::size_t{0}};
}

/// A weight is quantized in one way for all its uses, so every use must be that of a quantized
/// layer with the same channel axis.
void Decisions::refuse_shared_weights(const ir::Graph& graph) {
  for (const ir::Node* node : graph.nodes()) {
    NodeDecision& decision = at(*node);
    if (decision.treatment != Treatment::Weighted) continue;
    const ir::Value& weight = *node->input(*ops::weight_port(*node));
    for (const ir::Use& use : weight.uses()) {
      const bool same = at(*use.node).treatment == Treatment::Weighted &&
                        ops::weight_port(*use.node) == use.index &&
                        ops::weight_axis(*use.node) == ops::weight_axis(*node);
      if (same) continue;
      make_float(decision, fmt::format("its weight is also used by {}", use.node->label()));
      break;
    }
    if (weight.is_output()) make_float(decision, "its weight is a graph output");
  }
  // A layer that fell to float after its partner had been looked at.
  for (const ir::Node* node : graph.nodes()) {
    NodeDecision& decision = at(*node);
    if (decision.treatment != Treatment::Weighted) continue;
    for (const ir::Use& use : node->input(*ops::weight_port(*node))->uses()) {
      if (at(*use.node).treatment == Treatment::Weighted) continue;
      make_float(decision, fmt::format("its weight is also used by {}", use.node->label()));
      break;
    }
  }
}

/// In graph order: an operator without weights is quantized where integers reach it.
void Decisions::activate(const ir::Graph& graph) {
  std::unordered_set<const ir::Value*> integers;
  const auto reached = [&](const ir::Node& node) {
    return std::ranges::any_of(node.inputs(),
                               [&](const ir::Value* input) { return integers.contains(input); });
  };
  for (const ir::Node* node : graph.nodes()) {
    NodeDecision& decision = at(*node);
    if (decision.merged) continue;
    switch (decision.treatment) {
      case Treatment::Float:
        continue;
      case Treatment::Activation:
        make_float(decision,
                   "it does not directly follow a quantized operator that it alone reads");
        continue;
      case Treatment::PassThrough:
        if (reached(*node)) {
          for (const ir::Value* output : node->outputs()) integers.insert(output);
        }
        continue;
      case Treatment::Weighted:
        break;
      case Treatment::Quantized:
      case Treatment::SharedScale:
      case Treatment::SkipQuantized:
      case Treatment::FusedSum:
        if (!without_weights(*node, decision, reached(*node))) continue;
        break;
    }
    merge_activations(*node->output());
    integers.insert(&anchor(*node->output()));
  }
}

/// Decides an operator without weights; false when it stays float.
bool Decisions::without_weights(const ir::Node& node, NodeDecision& decision, bool reached) {
  if (!reached) {
    make_float(decision, "no quantized operator leads to it");
  } else if (decision.inner_only && leaves_graph(anchor(*node.output()))) {
    make_float(decision, "its result is a graph output");
  } else {
    decide_inputs(node, decision);
  }
  return decision.treatment != Treatment::Float;
}

void Decisions::decide_inputs(const ir::Node& node, NodeDecision& decision) {
  const bool may_fuse =
      decision.treatment == Treatment::SkipQuantized || decision.treatment == Treatment::FusedSum;
  if (may_fuse) {
    if (const auto fused = fused_addend(node)) {
      decision.reads = {1 - *fused};
      return;
    }
    if (decision.treatment == Treatment::SkipQuantized) {
      const bool constant = std::ranges::any_of(node.inputs(), [](const ir::Value* input) {
        return input == nullptr || input->is_initializer();
      });
      return make_float(decision, constant ? "an addend is constant"
                                           : "no addend is the result of a layer of its own");
    }
    decision.treatment = Treatment::Quantized;
  }
  const bool binary = ops::kind_of(node) == ops::OpKind::Binary;
  for (std::size_t index = 0; index < node.inputs().size(); ++index) {
    ir::Value* input = node.input(index);
    if (input == nullptr) continue;
    if (ops::is_activation_input(node, index)) {
      if (!may_be_float(*input)) return make_float(decision, "an input is not float32");
      decision.reads.push_back(index);
    } else if (input->is_initializer() && binary) {
      if (input->type().dtype != tensor::DType::Float32 || input->uses().size() != 1) {
        return make_float(decision, "its constant operand is not float32 or shared");
      }
      decision.constants.push_back(input);
    } else if (input->is_initializer() && decision.treatment == Treatment::SharedScale) {
      return make_float(decision, "one of its inputs is constant");
    }
  }
}

/// The addend that is computed by a layer which nothing else reads, so that the engine adds inside
/// that layer; of two such, the one on the longer way. Nothing: there is none.
std::optional<std::size_t> Decisions::fused_addend(const ir::Node& node) const {
  std::optional<std::size_t> fused;
  for (std::size_t index = 0; index < 2; ++index) {
    const ir::Value* input = node.input(index);
    if (input == nullptr || input->is_initializer()) return std::nullopt;
    const ir::Node* producer = input->producer();
    const bool fusible = producer != nullptr && input->uses().size() == 1 &&
                         table_.at(producer).treatment == Treatment::Weighted;
    if (!fusible) continue;
    if (!fused || depth_.at(input) > depth_.at(node.input(*fused))) fused = index;
  }
  return fused;
}

const ir::Value* Decisions::merged_successor(const ir::Value& value) const {
  if (value.is_output() || value.uses().empty() || value.uses().size() > 2) return nullptr;
  const auto is_activation = [this](const ir::Use& use) {
    const auto place = table_.find(use.node);
    return place != table_.end() && place->second.treatment == Treatment::Activation &&
           (use.index == 0 || use.node->is("Add"));
  };
  const ir::Use& first = value.uses().front();
  if (value.uses().size() == 1) return is_activation(first) ? first.node->output() : nullptr;
  // x * gate(x), e.g. SiLU.
  const ir::Use& second = value.uses().back();
  for (const auto& [gate, product] : {std::pair{first, second}, std::pair{second, first}}) {
    if (!is_activation(gate) || !product.node->is("Mul")) continue;
    const ir::Value* gated = gate.node->output();
    const bool closed = gated->uses().size() == 1 && !gated->is_output() &&
                        gated->uses().front().node == product.node;
    if (closed) return product.node->output();
  }
  return nullptr;
}

const ir::Value& Decisions::anchor(const ir::Value& value) const {
  const ir::Value* last = &value;
  while (const ir::Value* next = merged_successor(*last)) last = next;
  return *last;
}

void Decisions::merge_activations(const ir::Value& value) {
  const ir::Value* last = &value;
  while (const ir::Value* next = merged_successor(*last)) {
    for (const ir::Use& use : last->uses()) {
      const bool floats = at(*use.node).computes_floats;
      at(*use.node) = {
          .treatment = Treatment::Activation, .merged = true, .computes_floats = floats};
    }
    last = next;
  }
}

ops::OutputRange Decisions::bounds(const ir::Value& anchor) const {
  const ir::Node* producer = anchor.producer();
  if (producer == nullptr || !of(*producer).merged) return {};
  return ops::output_range(*producer);
}

bool Decisions::leaves_graph(const ir::Value& value) const {
  const ir::Value* last = &value;
  while (!last->is_output()) {
    if (last->uses().size() != 1) return false;
    const ir::Node& reader = *last->uses().front().node;
    const Treatment treatment = table_.at(&reader).treatment;
    if (treatment != Treatment::PassThrough || reader.outputs().size() != 1) return false;
    last = reader.output();
  }
  return true;
}

bool Decisions::from_graph_input(const ir::Value& value) const {
  const ir::Value* first = &value;
  while (first->producer() != nullptr) {
    if (table_.at(first->producer()).treatment != Treatment::PassThrough) return false;
    first = first->producer()->input(0);
  }
  return first->is_input();
}

}  // namespace espalier::quant
