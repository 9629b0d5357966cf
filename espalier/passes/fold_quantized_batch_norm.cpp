#include "espalier/passes/fold_quantized_batch_norm.h"

#include <limits>
#include <optional>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "espalier/ops/estimator.h"
#include "espalier/ops/weight.h"
#include "espalier/passes/bypass.h"
#include "espalier/passes/channel_affine.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::size_t kWeight = 1;

/// What follows a layer: nodes to remove, and the map that they compute together.
struct Follower {
  ir::Node* division = nullptr;  ///< may be null
  ir::Node* batch_norm = nullptr;
  ChannelAffine affine;
};

/// The BatchNormalization behind a layer, or behind its division by one constant a channel.
std::optional<Follower> follower_of(const ir::Node& layer) {
  Follower follower;
  ir::Node* user = sole_user(layer.output());
  if (user == nullptr || user->input(0) != layer.output()) return std::nullopt;
  Tensor divisor = at::ones({1}, at::kDouble);
  if (user->is("Div")) {
    const Tensor* constant = constant_of(user->input(1));
    if (constant == nullptr) return std::nullopt;
    divisor = constant->to(at::kDouble).reshape({-1});
    follower.division = user;
    user = sole_user(user->output());
    if (user == nullptr || user->input(0) != follower.division->output()) return std::nullopt;
  }
  const auto affine = batch_norm_affine(*user);
  if (!affine) return std::nullopt;
  if (divisor.numel() != 1 && divisor.numel() != affine->scale.numel()) return std::nullopt;
  follower.batch_norm = user;
  follower.affine = {.scale = affine->scale / divisor, .shift = affine->shift};
  return follower;
}

bool is_layer_to_fold_into(const ir::Node& layer) {
  const bool grouped = layer.is("ConvTranspose") && layer.get_int("group", 1) != 1;
  if (grouped || !(layer.is("Conv") || layer.is("ConvTranspose") || layer.is("Gemm"))) return false;
  const ir::Node* quantizer = fake_quantize_behind(layer.input(kWeight));
  if (quantizer == nullptr || ops::estimator_of(*quantizer) != nullptr) return false;
  return constant_of(quantizer->input(ops::kQuantizedValue)) != nullptr;
}

/// One value a channel along the axis of a weight.
Tensor along(const Tensor& vector, const Tensor& weight, std::int64_t axis) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(weight.dim()), 1);
  sizes[static_cast<std::size_t>(axis)] = vector.numel();
  return vector.reshape(sizes);
}

/// The layer's weight as a constant of its quantized values, its quantizer unhooked.
void unhook(ir::Graph& graph, ir::Node& layer, const Tensor& values) {
  ir::Node& quantizer = *fake_quantize_behind(layer.input(kWeight));
  ir::Value& weight = *quantizer.input(ops::kQuantizedValue);
  const std::string name = weight.name();
  graph.set_input(layer, kWeight, nullptr);
  if (quantizer.output()->uses().empty()) graph.erase(quantizer);
  if (weight.uses().empty() && !weight.is_output()) graph.erase(weight);
  graph.set_input(layer, kWeight, &graph.add_initializer(graph.unique_value_name(name), values));
}

/// FakeQuantize between a constant weight and its layer.
void hook(ir::Graph& graph, ir::Node& layer, ir::Attributes attributes, const Tensor& scale) {
  ir::Value& weight = *layer.input(kWeight);
  const auto constant = [&](std::string_view suffix, const Tensor& tensor) {
    const std::string name = graph.unique_value_name(weight.name() + std::string(suffix));
    return &graph.add_initializer(name, tensor);
  };
  ir::Node& quantizer = graph.insert_before(
      layer, {.op = std::string(kFakeQuantize),
              .inputs = {&weight, constant("_scale", scale),
                         constant("_zero_point", at::zeros(scale.sizes(), at::kInt))},
              .outputs = {graph.unique_value_name(weight.name() + "_dq")},
              .attributes = std::move(attributes),
              .name = graph.unique_node_name(weight.name() + "_fake_quantize"),
              .domain = std::string(ir::kEspalierDomain)});
  quantizer.output()->set_type(weight.type());
  graph.set_input(layer, kWeight, quantizer.output());
}

/// True for factors that are 1 or -1 but for the rounding of a float: of a layer whose folded
/// weight was quantized.
bool keeps_size(const Tensor& factors) {
  constexpr double kRounding = 1e-6;
  return (at::abs(at::abs(factors) - 1.0) < kRounding).all().item<bool>();
}

bool fold(ir::Graph& graph, ir::Node& layer, const Follower& follower) {
  const ir::Node& quantizer = *fake_quantize_behind(layer.input(kWeight));
  const FakeQuantizeParams params = fake_quantize_params(quantizer);
  if (params.zero_point.any().item<bool>()) return false;
  const Tensor weight = quantizer.input(ops::kQuantizedValue)->constant();
  const std::int64_t axis = *ops::weight_axis(layer);
  const std::int64_t channels = follower.affine.scale.numel();
  if (weight.size(axis) != channels || (params.axis && *params.axis != axis)) return false;
  const Tensor scale = params.scale.expand({channels});
  const Tensor codes = quantize_codes(weight, params).to(at::kFloat);
  ir::Attributes attributes = quantizer.attributes();
  attributes.insert_or_assign("axis", axis);
  unhook(graph, layer, codes * along(scale, weight, axis));
  if (!fold_after(graph, layer, follower.affine)) {
    hook(graph, layer, attributes, scale.contiguous());
    return false;
  }
  if (!params.axis && keeps_size(follower.affine.scale)) {
    attributes.erase("axis");
    hook(graph, layer, attributes, params.scale);
  } else {
    const Tensor moved = (at::abs(follower.affine.scale) * scale.to(at::kDouble)).to(at::kFloat);
    const Tensor usable = moved >= std::numeric_limits<float>::min();
    hook(graph, layer, attributes, at::where(usable, moved, scale).contiguous());
  }
  for (ir::Node* node : {follower.division, follower.batch_norm}) {
    if (node != nullptr) bypass(graph, *node, *node->input(0));
  }
  return true;
}

std::size_t fold_quantized_batch_norm_in(ir::Graph& graph) {
  // Folding erases quantizers and BatchNormalization, never a layer.
  std::vector<ir::Node*> layers;
  for (ir::Node* node : graph.nodes()) {
    if (is_layer_to_fold_into(*node)) layers.push_back(node);
  }
  std::size_t changes = 0;
  for (ir::Node* layer : layers) {
    const auto follower = follower_of(*layer);
    if (follower && fold(graph, *layer, *follower)) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass fold_quantized_batch_norm() {
  return {.name = "fold_quantized_batch_norm", .apply = fold_quantized_batch_norm_in};
}

}  // namespace espalier::passes
