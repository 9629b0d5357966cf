#include "espalier/passes/lower_to_qdq.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/ops/facts.h"
#include "espalier/passes/bias_codes.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::size_t kZeroPoint = 2;  ///< input of QuantizeLinear and DequantizeLinear
constexpr std::int64_t kOpsetPerChannel = 13;
constexpr std::int64_t kOpset16Bit = 21;

struct CodeType {
  std::int64_t qmin;
  std::int64_t qmax;
  at::ScalarType type;
  std::int64_t opset;
};

constexpr std::array kCodeTypes{
    CodeType{0, 255, at::kByte, kOpsetPerChannel},
    CodeType{-128, 127, at::kChar, kOpsetPerChannel},
    CodeType{0, 65535, at::ScalarType::UInt16, kOpset16Bit},
    CodeType{-32768, 32767, at::kShort, kOpset16Bit},
};

/// Smallest integer type that holds the codes.
const CodeType& code_type(const ir::Node& node, const FakeQuantizeParams& params) {
  const bool is_signed = params.qmin < 0;
  for (const CodeType& type : kCodeTypes) {
    if ((type.qmin < 0) == is_signed && params.qmin >= type.qmin && params.qmax <= type.qmax) {
      return type;
    }
  }
  throw base::UnsupportedError({.what = "cannot export a quantizer",
                                .where = node.label(),
                                .got = fmt::format("codes {}..{}", params.qmin, params.qmax),
                                .expected = "codes of at most 16 bits"});
}

void check_opset(const ir::Graph& graph, const ir::Node& node, const CodeType& type) {
  if (opset_of(graph) >= type.opset) return;
  throw base::UnsupportedError({.what = "cannot export a quantizer",
                                .where = node.label(),
                                .got = fmt::format("operator set {}", opset_of(graph)),
                                .expected = fmt::format("at least {}", type.opset),
                                .hint = "export with a higher opset"});
}

/// Value name that the quantizer's names are made from.
std::string stem_of(const ir::Node& fake_quantize) {
  return fake_quantize.input(0)->name();
}

ir::Attributes axis_attribute(const FakeQuantizeParams& params) {
  if (!params.axis) return {};
  return {{"axis", *params.axis}};
}

/// The node's scale and zero point initializers, the latter in the type of the codes. Initializers
/// that other quantizers share are copied.
std::vector<ir::Value*> typed_parameters(ir::Graph& graph, ir::Node& node,
                                         const FakeQuantizeParams& params, at::ScalarType type) {
  const Tensor& declared = *constant_of(node.input(2));
  const Tensor zero_point = declared.to(type);
  if (!declared.is_same(zero_point)) replace_constant(graph, node, 2, zero_point);
  const Tensor& scale = *constant_of(node.input(1));
  if (scale.scalar_type() != at::kFloat) replace_constant(graph, node, 1, scale.to(at::kFloat));
  if (!params.axis && constant_of(node.input(1))->dim() != 0) {
    replace_constant(graph, node, 1, params.scale.reshape({}));
    replace_constant(graph, node, 2, zero_point.reshape({}));
  }
  return {node.input(1), node.input(2)};
}

void erase_unused(ir::Graph& graph, ir::Value& value) {
  if (value.uses().empty() && !value.is_output()) graph.erase(value);
}

/// Puts DequantizeLinear(codes) in the place of the FakeQuantize node.
void dequantize_in_place(ir::Graph& graph, ir::Node& node, ir::Value& codes,
                         const FakeQuantizeParams& params, const std::string& stem) {
  ir::Node& dequantize =
      graph.insert_before(node, {.op = "DequantizeLinear",
                                 .inputs = {&codes, node.input(1), node.input(kZeroPoint)},
                                 .attributes = axis_attribute(params),
                                 .name = graph.unique_node_name(stem + "_dq")});
  ir::Value& output = *node.output();
  const std::string name = output.name();
  dequantize.output()->set_type(output.type());
  graph.replace_all_uses(output, *dequantize.output());
  graph.erase(node);
  graph.rename(*dequantize.output(), name);
}

void lower_weight(ir::Graph& graph, ir::Node& node) {
  const FakeQuantizeParams params = fake_quantize_params(node);
  const CodeType& type = code_type(node, params);
  check_opset(graph, node, type);
  ir::Value& weight = *node.input(0);
  const std::string stem = stem_of(node);
  typed_parameters(graph, node, params, type.type);
  const std::int64_t room = weight_headroom(params);
  if (room > 1) replace_constant(graph, node, 1, node.input(1)->constant() / room);
  const Tensor codes =
      (quantize_codes(weight.constant(), params) * room).to(type.type).contiguous();
  ir::Value& quantized = graph.add_initializer(graph.unique_value_name(stem + "_q"), codes);
  dequantize_in_place(graph, node, quantized, params, stem);
  erase_unused(graph, weight);
}

/// Clip(value, lowest, highest) in front of a quantizer's node.
ir::Value& insert_clip(ir::Graph& graph, ir::Node& node, ir::Value& value, const Tensor& lowest,
                       const Tensor& highest) {
  const std::string stem = stem_of(node);
  const auto limit = [&](std::string_view suffix, const Tensor& constant) {
    return &graph.add_initializer(graph.unique_value_name(fmt::format("{}{}", stem, suffix)),
                                  constant);
  };
  ir::Node& clip = graph.insert_before(
      node, {.op = "Clip",
             .inputs = {&value, limit("_lowest", lowest), limit("_highest", highest)},
             .outputs = {graph.unique_value_name(stem + "_clipped")},
             .name = graph.unique_node_name(stem + "_clip")});
  clip.output()->set_type(value.type());
  return *clip.output();
}

bool fills(const FakeQuantizeParams& params, const CodeType& type) {
  return params.qmin == type.qmin && params.qmax == type.qmax;
}

/// The codes cut to those of the quantizer, where its type has more: QuantizeLinear saturates at
/// the limits of the type alone.
ir::Value& clip_codes(ir::Graph& graph, ir::Node& node, ir::Value& codes,
                      const FakeQuantizeParams& params, const CodeType& type) {
  if (fills(params, type)) return codes;
  const auto limit = [&](std::int64_t code) {
    return at::full({}, code, at::TensorOptions(type.type));
  };
  return insert_clip(graph, node, codes, limit(params.qmin), limit(params.qmax));
}

/// What a quantizer of 16-bit codes takes, cut to the values of its codes: engines have no Clip of
/// such codes, and there are no integer kernels that a Clip of floats could keep apart.
ir::Value& clip_values(ir::Graph& graph, ir::Node& node, const FakeQuantizeParams& params,
                       const CodeType& type) {
  ir::Value& input = *node.input(0);
  if (fills(params, type)) return input;
  if (params.axis) {
    throw base::UnsupportedError({.what = "cannot export a quantizer",
                                  .where = node.label(),
                                  .got = "9 to 15 bits with a scale for each channel",
                                  .expected = "one scale"});
  }
  const double zero_point = params.zero_point.item<int>();
  const double scale = params.scale.item<float>();
  const auto limit = [&](std::int64_t code) {
    return at::full({}, (static_cast<double>(code) - zero_point) * scale, at::kFloat);
  };
  return insert_clip(graph, node, input, limit(params.qmin), limit(params.qmax));
}

bool is_16_bit(const CodeType& type) {
  return type.opset == kOpset16Bit;
}

void lower_activation(ir::Graph& graph, ir::Node& node) {
  const FakeQuantizeParams params = fake_quantize_params(node);
  const CodeType& type = code_type(node, params);
  check_opset(graph, node, type);
  const std::string stem = stem_of(node);
  const auto parameters = typed_parameters(graph, node, params, type.type);
  ir::Value& values = is_16_bit(type) ? clip_values(graph, node, params, type) : *node.input(0);
  ir::Node& quantize = graph.insert_before(node, {.op = "QuantizeLinear",
                                                  .inputs = {&values, parameters[0], parameters[1]},
                                                  .outputs = {graph.unique_value_name(stem + "_q")},
                                                  .attributes = axis_attribute(params),
                                                  .name = graph.unique_node_name(stem + "_q")});
  quantize.output()->set_type(
      {.dtype = tensor::from_scalar_type(type.type), .shape = node.output()->type().shape});
  ir::Value& codes = is_16_bit(type) ? *quantize.output()
                                     : clip_codes(graph, node, *quantize.output(), params, type);
  dequantize_in_place(graph, node, codes, params, stem);
}

/// The DequantizeLinear behind a value; null when it is computed otherwise.
const ir::Node* dequantizer_of(const ir::Value* value) {
  const ir::Node* producer = value == nullptr ? nullptr : value->producer();
  return producer != nullptr && producer->is("DequantizeLinear") ? producer : nullptr;
}

/// The scale of what it gives.
const Tensor* dequantized_scale(const ir::Value* value) {
  const ir::Node* dequantizer = dequantizer_of(value);
  return dequantizer == nullptr ? nullptr : constant_of(dequantizer->input(1));
}

bool has_16_bit_codes(const ir::Value* value) {
  const ir::Node* dequantizer = dequantizer_of(value);
  if (dequantizer == nullptr) return false;
  const tensor::DType type = dequantizer->input(0)->type().dtype;
  return type == tensor::DType::UInt16 || type == tensor::DType::Int16;
}

/// Puts DequantizeLinear(codes, scale) in the place of a node's bias.
void dequantize_bias(ir::Graph& graph, ir::Node& node, std::size_t port, const Tensor& codes,
                     const Tensor& scale) {
  ir::Value& value = *node.input(port);
  const auto fresh = [&](std::string_view suffix, const Tensor& constant) {
    return &graph.add_initializer(
        graph.unique_value_name(fmt::format("{}{}", value.name(), suffix)), constant);
  };
  ir::Value* quantized = fresh("_q", codes);
  ir::Value* scale_value = fresh("_scale", scale);
  ir::Attributes attributes;
  if (scale.dim() != 0) attributes["axis"] = value.constant().dim() - 1;
  ir::Node& dequantize =
      graph.insert_before(node, {.op = "DequantizeLinear",
                                 .inputs = {quantized, scale_value},
                                 .outputs = {graph.unique_value_name(value.name() + "_dq")},
                                 .attributes = std::move(attributes),
                                 .name = graph.unique_node_name(value.name() + "_dq")});
  dequantize.output()->set_type(value.type());
  graph.set_input(node, port, dequantize.output());
  erase_unused(graph, value);
}

/// The int32 form of the bias of one node. Its zero point, zero for each channel, is left out, as
/// ONNX allows and engines take; those of weights stay: without them ONNX Runtime computes Gemm in
/// float.
void lower_bias(ir::Graph& graph, ir::Node& node) {
  const ops::OpFacts* facts = ops::find(node);
  if (facts == nullptr || facts->bias < 0 || facts->weight < 0) return;
  const auto port = static_cast<std::size_t>(facts->bias);
  const Tensor* bias = constant_of(node.input(port));
  if (bias == nullptr) return;
  const Tensor* input_scale = dequantized_scale(node.input(0));
  const Tensor* weight_scale =
      dequantized_scale(node.input(static_cast<std::size_t>(facts->weight)));
  if (input_scale == nullptr || weight_scale == nullptr || input_scale->numel() != 1) return;
  if (bias->dim() == 0 || bias->size(-1) % weight_scale->numel() != 0) return;
  if (bias->numel() != bias->size(-1)) return;  // not one value an output channel
  Tensor scale = bias_scale(*input_scale, *weight_scale, bias->numel());
  const Tensor codes = bias_codes(*bias, scale);
  if (scale.numel() == 1) scale = scale.reshape({});
  dequantize_bias(graph, node, port, codes, scale);
}

/// A bias beside codes of 16 bits gets int32 codes too, of a power of two, true to 2^-30 of the
/// largest: ONNX Runtime would quantize a float one itself, by the product of both scales, in which
/// it overflows.
void lower_wide_bias(ir::Graph& graph, ir::Node& node) {
  const ops::OpFacts* facts = ops::find(node);
  if (facts == nullptr || facts->bias < 0 || facts->weight < 0) return;
  const auto port = static_cast<std::size_t>(facts->bias);
  const Tensor* bias = constant_of(node.input(port));
  const bool wide = has_16_bit_codes(node.input(0)) &&
                    has_16_bit_codes(node.input(static_cast<std::size_t>(facts->weight)));
  if (bias == nullptr || !wide || bias->scalar_type() != at::kFloat) return;
  constexpr int kBits = 30;
  constexpr int kLeastExponent = -126;
  const auto largest = bias->abs().max().item<float>();
  const int exponent = std::ilogb(std::max(largest, std::numeric_limits<float>::min())) + 1 - kBits;
  const Tensor scale = at::full({}, std::ldexp(1.0F, std::max(exponent, kLeastExponent)));
  dequantize_bias(graph, node, port, bias_codes(*bias, scale), scale);
}

bool is_qdq(const ir::Node& node) {
  return node.is("QuantizeLinear") || node.is("DequantizeLinear");
}

std::set<const ir::Node*> qdq_nodes(const ir::Graph& graph) {
  std::set<const ir::Node*> nodes;
  for (const ir::Node* node : graph.nodes()) {
    if (is_qdq(*node)) nodes.insert(node);
  }
  return nodes;
}

/// One initializer for all zero points of the same type, shape and bytes. Nodes of `before` stay as
/// they are.
void share_zero_points(ir::Graph& graph, const std::set<const ir::Node*>& before) {
  std::map<std::tuple<at::ScalarType, std::vector<std::int64_t>, std::string>, ir::Value*> shared;
  for (ir::Node* node : graph.nodes()) {
    if (!is_qdq(*node) || before.contains(node) || node->inputs().size() <= kZeroPoint) continue;
    ir::Value& zero = *node->input(kZeroPoint);
    const Tensor constant = zero.constant().contiguous();
    std::string bytes(static_cast<const char*>(constant.const_data_ptr()), constant.nbytes());
    const auto [place, fresh] = shared.emplace(
        std::tuple(constant.scalar_type(), constant.sizes().vec(), std::move(bytes)), &zero);
    if (fresh) {
      graph.rename(zero, graph.unique_value_name("zero_point"));
    } else if (place->second != &zero) {
      graph.set_input(*node, kZeroPoint, place->second);
      erase_unused(graph, zero);
    }
  }
}

std::size_t lower_to_qdq_in(ir::Graph& graph, const quant::QuantPlan& plan) {
  const std::set<const ir::Node*> before = qdq_nodes(graph);
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!is_fake_quantize(*node)) continue;
    const bool is_weight = node->input(0) != nullptr && node->input(0)->is_initializer();
    is_weight ? lower_weight(graph, *node) : lower_activation(graph, *node);
    ++changes;
  }
  if (changes == 0 && !(plan.activations.empty() && plan.weights.empty())) {
    throw base::UserError({.what = "cannot export the quantized model",
                           .where = fmt::format("graph '{}'", graph.name),
                           .got = "no FakeQuantize node",
                           .expected = "a graph that insert_fake_quantize has changed"});
  }
  for (const auto& [name, bias] : plan.biases) {
    ir::Node* node = graph.find_node(name);
    if (node != nullptr) lower_bias(graph, *node);
  }
  for (ir::Node* node : graph.nodes()) lower_wide_bias(graph, *node);
  share_zero_points(graph, before);
  graph.opsets.erase(std::string(ir::kEspalierDomain));
  return changes;
}

}  // namespace

Pass lower_to_qdq(const quant::QuantPlan& plan) {
  return {.name = "lower_to_qdq",
          .apply = [plan](ir::Graph& graph) { return lower_to_qdq_in(graph, plan); }};
}

}  // namespace espalier::passes
