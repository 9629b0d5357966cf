#include "espalier/passes/insert_fake_quantize.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/check.h"
#include "espalier/base/log.h"
#include "espalier/ops/facts.h"
#include "espalier/passes/bias_codes.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

using FakeQuantized = std::map<std::string, ir::Value*, std::less<>>;

/// Spacing of the largest codes that float32 holds; a larger error means that a code was clamped.
constexpr double kLargestStep = 256.0;

[[noreturn]] void refuse(std::string where, std::string got, std::string expected) {
  throw base::UserError({.what = "cannot apply the quantization plan",
                         .where = std::move(where),
                         .got = std::move(got),
                         .expected = std::move(expected),
                         .hint = "make the plan again for this model"});
}

void check_model(const ir::Graph& graph, const quant::QuantPlan& plan) {
  if (plan.model_id.empty()) return;
  const std::string id = analysis::model_id(graph);
  if (id == plan.model_id) return;
  refuse(fmt::format("graph '{}'", graph.name), fmt::format("model '{}'", id),
         fmt::format("model '{}', for which the plan was made", plan.model_id));
}

/// Parameters must be sound in themselves and fit the shape of what they quantize.
void check_params(const tensor::QuantParams& params, const ir::Value& value) {
  const std::string where = fmt::format("value '{}'", value.name());
  if (params.scale.empty() || params.scale.size() != params.zero_point.size()) {
    refuse(
        where,
        fmt::format("{} scales and {} zero points", params.scale.size(), params.zero_point.size()),
        "as many zero points as scales");
  }
  for (std::size_t index = 0; index < params.scale.size(); ++index) {
    if (!(params.scale[index] > 0) || !std::isfinite(params.scale[index])) {
      refuse(where, fmt::format("scale {}", params.scale[index]), "a positive finite number");
    }
    const std::int64_t zero = params.zero_point[index];
    if (zero < params.grid.qmin() || zero > params.grid.qmax()) {
      refuse(where, fmt::format("zero point {}", zero),
             fmt::format("{}..{}", params.grid.qmin(), params.grid.qmax()));
    }
  }
  if (!params.per_channel()) {
    if (params.scale.size() != 1) {
      refuse(where, fmt::format("{} scales without an axis", params.scale.size()), "one scale");
    }
    return;
  }
  const auto& shape = value.type().shape;
  if (!shape) return;
  const auto axis = static_cast<std::size_t>(params.axis);
  if (axis >= shape->size()) {
    refuse(where, fmt::format("axis {}", params.axis), fmt::format("0..{}", shape->size() - 1));
  }
  const auto& size = (*shape)[axis].size;
  if (size && *size != static_cast<std::int64_t>(params.scale.size())) {
    refuse(where, fmt::format("{} scales", params.scale.size()),
           fmt::format("{}, the size of axis {}", *size, params.axis));
  }
}

ir::Value& find_value(const ir::Graph& graph, const std::string& name) {
  ir::Value* value = graph.find_value(name);
  if (value == nullptr) refuse("", fmt::format("value '{}'", name), "a value of the graph");
  return *value;
}

ir::Node& find_node(const ir::Graph& graph, const std::string& name) {
  ir::Node* node = graph.find_node(name);
  if (node == nullptr) refuse("", fmt::format("node '{}'", name), "a node of the graph");
  return *node;
}

void correct_biases(ir::Graph& graph, const quant::QuantPlan& plan) {
  for (const auto& [name, correction] : plan.bias_corrections) {
    ir::Value& bias = find_value(graph, name);
    const Tensor* constant = constant_of(&bias);
    const auto length = static_cast<std::int64_t>(correction.size());
    if (constant == nullptr || constant->numel() != length) {
      refuse(fmt::format("bias '{}'", name), fmt::format("{} corrections", correction.size()),
             constant == nullptr ? "a constant bias" : fmt::format("{}", constant->numel()));
    }
    graph.set_constant(bias, *constant + at::tensor(correction).reshape(constant->sizes()));
  }
}

FakeQuantized quantize_activations(ir::Graph& graph, const quant::QuantPlan& plan) {
  FakeQuantized quantized;
  for (const auto& [name, activation] : plan.activations) {
    ir::Value& value = find_value(graph, name);
    check_params(activation.params, value);
    quantized[name] = add_fake_quantize(graph, value, activation.params).output();
  }
  return quantized;
}

void connect_output(ir::Graph& graph, std::size_t index, const FakeQuantized& quantized) {
  if (index >= graph.outputs().size()) {
    refuse("", fmt::format("graph output {}", index),
           fmt::format("0..{}", graph.outputs().size() - 1));
  }
  ir::Value& value = *graph.outputs()[index];
  const auto place = quantized.find(value.name());
  if (place == quantized.end()) {
    refuse(fmt::format("graph output '{}'", value.name()), "no parameters for it",
           "an entry of 'activations'");
  }
  const std::string name = value.name();
  graph.set_output(index, *place->second);
  if (value.is_output()) return;  // it is listed twice, and the other place stays float
  graph.rename(value, graph.unique_value_name(name + "_float"));
  graph.rename(*place->second, name);
}

void connect_edges(ir::Graph& graph, const quant::QuantPlan& plan, const FakeQuantized& quantized) {
  for (const quant::EdgeKey& edge : plan.edges) {
    if (edge.node.empty()) continue;
    ir::Node& node = find_node(graph, edge.node);
    ir::Value* value = node.input(edge.index);
    if (value == nullptr) {
      refuse(node.label(), fmt::format("input {}", edge.index),
             fmt::format("0..{}", node.inputs().size() - 1));
    }
    const auto place = quantized.find(value->name());
    if (place == quantized.end()) {
      refuse(node.label(), fmt::format("no parameters for its input '{}'", value->name()),
             "an entry of 'activations'");
    }
    graph.set_input(node, edge.index, place->second);
  }
  for (const quant::EdgeKey& edge : plan.edges) {
    if (edge.node.empty()) connect_output(graph, edge.index, quantized);
  }
}

/// The weight moved onto its grid by the rounding that the plan chose: nearest rounding, which the
/// FakeQuantize node does, then gives just these codes.
void round_as_planned(ir::Graph& graph, ir::Value& value, const quant::WeightPlan& weight) {
  if (weight.rounding.empty()) return;
  const Tensor& constant = value.constant();
  if (constant.numel() != static_cast<std::int64_t>(weight.rounding.size())) {
    refuse(fmt::format("weight '{}'", value.name()),
           fmt::format("roundings of {} elements", weight.rounding.size()),
           fmt::format("{}", constant.numel()));
  }
  auto* moves = const_cast<std::int8_t*>(weight.rounding.data());
  const Tensor codes = at::clamp(tensor::quantize(constant, weight.params) +
                                     at::from_blob(moves, constant.sizes(), at::kChar).to(at::kInt),
                                 weight.params.grid.qmin(), weight.params.grid.qmax());
  graph.set_constant(value, tensor::dequantize(codes, weight.params));
}

void quantize_weights(ir::Graph& graph, const quant::QuantPlan& plan) {
  for (const auto& [name, weight] : plan.weights) {
    ir::Value& value = find_value(graph, name);
    if (!value.is_initializer()) {
      refuse(fmt::format("weight '{}'", name), "a computed value", "an initializer");
    }
    check_params(weight.params, value);
    round_as_planned(graph, value, weight);
    const std::list<ir::Use> uses = value.uses();
    ir::Node& node = add_fake_quantize(graph, value, weight.params);
    for (const ir::Use& use : uses) graph.set_input(*use.node, use.index, node.output());
  }
}

/// Fits the bias of one node to the grid that its quantized input and weight give it.
void round_bias(ir::Graph& graph, ir::Node& node, const std::string& bias_name) {
  const ops::OpFacts* facts = ops::find(node);
  const bool has_ports = facts != nullptr && facts->bias >= 0 && facts->weight >= 0;
  const std::size_t port = has_ports ? static_cast<std::size_t>(facts->bias) : 0;
  const Tensor* bias = has_ports ? constant_of(node.input(port)) : nullptr;
  if (bias == nullptr || node.input(port)->name() != bias_name) {
    refuse(node.label(), fmt::format("bias '{}'", bias_name), "its constant bias");
  }
  const ir::Node* input = fake_quantize_behind(node.input(0));
  const ir::Node* weight =
      fake_quantize_behind(node.input(static_cast<std::size_t>(facts->weight)));
  if (input == nullptr || weight == nullptr) {
    refuse(node.label(), "a quantized bias", "quantized input and weight with it");
  }
  const Tensor input_scale = fake_quantize_params(*input).scale;
  const FakeQuantizeParams weight_params = fake_quantize_params(*weight);
  const Tensor weight_scale = weight_params.scale / weight_headroom(weight_params);
  if (input_scale.numel() != 1 || bias->numel() % weight_scale.numel() != 0) {
    refuse(node.label(), "per-channel input or a bias of another length",
           "one input scale, a bias value for each weight scale");
  }
  const Tensor scale = bias_scale(input_scale, weight_scale, bias->numel());
  const Tensor rounded = bias_values(bias_codes(*bias, scale), scale);
  const double error = ((rounded - *bias).abs() / scale).max().item<double>();
  if (error > kLargestStep) {
    base::log_warning("{}: its bias exceeds what int32 holds at scale s_x * s_w", node.label());
  }
  replace_constant(graph, node, port, rounded);
}

std::size_t insert_fake_quantize_in(ir::Graph& graph, const quant::QuantPlan& plan,
                                    const InsertOptions& options) {
  check_model(graph, plan);
  correct_biases(graph, plan);
  const FakeQuantized quantized = quantize_activations(graph, plan);
  connect_edges(graph, plan, quantized);
  quantize_weights(graph, plan);
  if (options.round_biases) {
    for (const auto& [node, bias] : plan.biases) round_bias(graph, find_node(graph, node), bias);
  }
  graph.erase_dead();
  return plan.activations.size() + plan.weights.size();
}

}  // namespace

Pass insert_fake_quantize(const quant::QuantPlan& plan, const InsertOptions& options) {
  return {.name = "insert_fake_quantize", .apply = [plan, options](ir::Graph& graph) {
            return insert_fake_quantize_in(graph, plan, options);
          }};
}

}  // namespace espalier::passes
