#include "espalier/passes/freeze_weights.h"

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/ops/estimator.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

[[noreturn]] void refuse(const ir::Node& node, std::string got) {
  throw base::UnsupportedError({.what = "cannot freeze a quantized weight",
                                .where = node.label(),
                                .got = std::move(got),
                                .hint = "export the QDQ form"});
}

void check_form(const ir::Node& layer) {
  const bool known =
      layer.is("Conv") || layer.is("ConvTranspose") || layer.is("Gemm") || layer.is("MatMul");
  if (!known) refuse(layer, "an operator whose scale cannot be moved behind it");
  if (layer.is("MatMul") && ops::weight_port(layer) != 1U) refuse(layer, "a weight on the left");
  const bool plain =
      layer.get_float("alpha", 1.0F) == 1.0F && layer.get_float("beta", 1.0F) == 1.0F;
  if (layer.is("Gemm") && !plain) refuse(layer, "alpha or beta other than 1");
}

/// One value an output channel, shaped to broadcast over the layer's output.
Tensor over_output(const Tensor& vector, const ir::Node& layer, std::int64_t weight_rank) {
  if (vector.numel() == 1) return vector.reshape({});
  Tensor whole = vector.reshape({-1});
  if (layer.is("Gemm") || layer.is("MatMul")) return whole.contiguous();
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(weight_rank) - 1, 1);
  sizes[0] = whole.numel();
  return whole.reshape(sizes).contiguous();
}

/// Puts `op(value, constant)` behind a node's output, under whose name the result goes on.
ir::Node& append(ir::Graph& graph, ir::Node& node, const std::string& op, ir::Value& operand) {
  ir::Value& value = *node.output();
  ir::Node& added =
      graph.insert_after(node, {.op = op,
                                .inputs = {&value, &operand},
                                .outputs = {graph.unique_value_name(value.name() + "_" + op)},
                                .name = graph.unique_node_name(node.name() + "_" + op)});
  added.output()->set_type(value.type());
  return added;
}

void freeze(ir::Graph& graph, ir::Node& layer, ir::Node& quantizer, std::size_t port) {
  check_form(layer);
  const FakeQuantizeParams params = fake_quantize_params(quantizer);
  if (params.zero_point.any().item<bool>()) refuse(layer, "a zero point");
  ir::Value& weight = *quantizer.input(ops::kQuantizedValue);
  const Tensor codes = quantize_codes(weight.constant(), params).to(at::kFloat).contiguous();
  const std::string stem = weight.name();
  // A grouped transposed convolution has one scale for the same channel of every group.
  const std::int64_t groups = layer.is("ConvTranspose") ? layer.get_int("group", 1) : 1;
  const bool repeats = params.scale.numel() != 1;
  const Tensor scale = over_output(params.scale.repeat({repeats ? groups : 1}), layer, codes.dim());
  const Tensor* bias = layer.is("MatMul") ? nullptr : constant_of(layer.input(kBiasInput));
  if (bias == nullptr && !layer.is("MatMul") && layer.input(kBiasInput) != nullptr) {
    refuse(layer, "a computed bias");
  }
  const Tensor shift = bias == nullptr ? Tensor() : over_output(*bias, layer, codes.dim());
  ir::Value& frozen = graph.add_initializer(graph.unique_value_name(stem + "_frozen"), codes);
  graph.set_input(layer, port, &frozen);
  if (bias != nullptr) graph.truncate_inputs(layer, kBiasInput);
  // The uses of the layer's result move to the end of the new chain.
  ir::Value& result = *layer.output();
  const std::string name = result.name();
  const std::list<ir::Use> uses = result.uses();
  ir::Value& scale_value =
      graph.add_initializer(graph.unique_value_name(stem + "_dequantize_scale"), scale);
  ir::Node* last = &append(graph, layer, "Mul", scale_value);
  if (shift.defined()) {
    ir::Value& bias_value = graph.add_initializer(graph.unique_value_name(stem + "_bias"), shift);
    last = &append(graph, *last, "Add", bias_value);
  }
  for (const ir::Use& use : uses) graph.set_input(*use.node, use.index, last->output());
  for (std::size_t index = 0; index < graph.outputs().size(); ++index) {
    if (graph.outputs()[index] == &result) graph.set_output(index, *last->output());
  }
  graph.rename(result, graph.unique_value_name(name + "_integers"));
  graph.rename(*last->output(), name);
}

std::size_t freeze_weights_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    const auto port = ops::weight_port(*node);
    if (!port || is_fake_quantize(*node)) continue;
    ir::Node* quantizer = fake_quantize_behind(node->input(*port));
    if (quantizer == nullptr) continue;
    freeze(graph, *node, *quantizer, *port);
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass freeze_weights() {
  return {.name = "freeze_weights", .apply = freeze_weights_in};
}

}  // namespace espalier::passes
