#include "espalier/passes/channel_affine.h"

#include <algorithm>
#include <array>

#include <ATen/TensorOperators.h>
#include <ATen/ops/flatten.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::size_t kWeight = 1;
constexpr float kDefaultEpsilon = 1e-5F;  ///< of BatchNormalization

/// A linear node's weight seen as a matrix of channels, whatever its layout.
struct WeightLayout {
  std::int64_t groups = 1;
  std::int64_t inputs = 0;   ///< input channels, all groups
  std::int64_t outputs = 0;  ///< output channels, all groups
};

std::optional<WeightLayout> layout_of(const ir::Node& node) {
  const Tensor* weight = constant_of(node.input(kWeight));
  if (weight == nullptr || !at::isFloatingType(weight->scalar_type())) return std::nullopt;
  if (node.is("Gemm")) {
    if (weight->dim() != 2) return std::nullopt;
    const bool transposed = node.get_int("transB", 0) != 0;
    return WeightLayout{.inputs = weight->size(transposed ? 1 : 0),
                        .outputs = weight->size(transposed ? 0 : 1)};
  }
  const std::int64_t groups = node.get_int("group", 1);
  if (weight->dim() < 3 || groups < 1 || weight->size(0) % groups != 0) return std::nullopt;
  if (node.is("Conv")) {
    return WeightLayout{
        .groups = groups, .inputs = weight->size(1) * groups, .outputs = weight->size(0)};
  }
  if (node.is("ConvTranspose")) {
    return WeightLayout{
        .groups = groups, .inputs = weight->size(0), .outputs = weight->size(1) * groups};
  }
  return std::nullopt;
}

/// `vector` of one value a row group, spread over the first two dimensions of a grouped weight:
/// result [groups * rows, columns, 1, ...] holds vector[group, column].
Tensor spread_over_groups(const Tensor& vector, const Tensor& weight, std::int64_t groups) {
  const std::int64_t rows = weight.size(0) / groups;
  const Tensor table = vector.reshape({groups, 1, weight.size(1)})
                           .expand({groups, rows, weight.size(1)})
                           .reshape({weight.size(0), weight.size(1)});
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(weight.dim()), 1);
  sizes[0] = weight.size(0);
  sizes[1] = weight.size(1);
  return table.reshape(sizes);
}

/// A vector along one dimension of the weight.
Tensor spread_along(const Tensor& vector, const Tensor& weight, std::int64_t axis) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(weight.dim()), 1);
  sizes[static_cast<std::size_t>(axis)] = vector.numel();
  return vector.reshape(sizes);
}

Tensor spread_outputs(const ir::Node& node, const WeightLayout& layout, const Tensor& vector,
                      const Tensor& weight) {
  if (node.is("ConvTranspose")) return spread_over_groups(vector, weight, layout.groups);
  const bool columns = node.is("Gemm") && node.get_int("transB", 0) == 0;
  return spread_along(vector, weight, columns ? 1 : 0);
}

Tensor spread_inputs(const ir::Node& node, const WeightLayout& layout, const Tensor& vector,
                     const Tensor& weight) {
  if (node.is("Conv")) return spread_over_groups(vector, weight, layout.groups);
  return spread_along(vector, weight, node.get_int("transB", 0) == 0 ? 0 : 1);
}

/// The bias as float64 vector with Gemm's beta applied; zeros when there is none, nothing when it
/// is not one constant an output channel.
std::optional<Tensor> bias_of(const ir::Node& node, std::int64_t outputs) {
  const ir::Value* value = node.input(kBiasInput);
  if (value == nullptr) return at::zeros({outputs}, at::kDouble);
  const Tensor* constant = constant_of(value);
  if (constant == nullptr || !at::isFloatingType(constant->scalar_type())) return std::nullopt;
  const bool scalar = constant->numel() == 1 && node.is("Gemm");
  const bool row = constant->numel() == outputs && constant->dim() >= 1 &&
                   constant->size(-1) == outputs && constant->dim() <= (node.is("Gemm") ? 2 : 1);
  if (!scalar && !row) return std::nullopt;
  Tensor bias = constant->to(at::kDouble).reshape({-1}).expand({outputs});
  if (node.is("Gemm")) bias = bias * static_cast<double>(node.get_float("beta", 1.0F));
  return bias;
}

/// Writes weight and bias in the weight's type unless a value would not be finite there.
bool store(ir::Graph& graph, ir::Node& node, const Tensor& weight, const Tensor& bias) {
  const at::ScalarType type = constant_of(node.input(kWeight))->scalar_type();
  const Tensor typed_weight = weight.to(type).contiguous();
  const Tensor typed_bias = bias.to(type).contiguous();
  if (!typed_weight.isfinite().all().item<bool>()) return false;
  if (!typed_bias.isfinite().all().item<bool>()) return false;
  replace_constant(graph, node, kWeight, typed_weight);
  if (node.input(kBiasInput) != nullptr) {
    replace_constant(graph, node, kBiasInput, typed_bias);
  } else {
    const std::string name = graph.unique_value_name(node.name() + "_bias");
    graph.set_input(node, kBiasInput, &graph.add_initializer(name, typed_bias));
  }
  if (node.is("Gemm") && node.has("beta")) node.set("beta", 1.0F);
  return true;
}

/// gamma' = scale * gamma, beta' = scale * beta + shift.
bool fold_into_batch_norm(ir::Graph& graph, ir::Node& bn, const ChannelAffine& affine) {
  const auto present = batch_norm_affine(bn);
  if (!present || present->scale.numel() != affine.scale.numel()) return false;
  const at::ScalarType type = constant_of(bn.input(kWeight))->scalar_type();
  const Tensor gamma = constant_of(bn.input(kWeight))->to(at::kDouble) * affine.scale;
  const Tensor beta =
      constant_of(bn.input(kBiasInput))->to(at::kDouble) * affine.scale + affine.shift;
  if (!(gamma.to(type) + beta.to(type)).isfinite().all().item<bool>()) return false;
  replace_constant(graph, bn, kWeight, gamma.to(type));
  replace_constant(graph, bn, kBiasInput, beta.to(type));
  return true;
}

bool is_padded(const ir::Node& conv) {
  const std::string auto_pad = conv.get_string("auto_pad", "NOTSET");
  if (auto_pad == "VALID") return false;
  if (auto_pad != "NOTSET") return true;
  return std::ranges::any_of(conv.get_ints("pads", {}), [](std::int64_t pad) { return pad != 0; });
}

}  // namespace

std::int64_t num_output_channels(const ir::Node& node) {
  const auto layout = layout_of(node);
  return layout ? layout->outputs : 0;
}

std::int64_t num_input_channels(const ir::Node& node) {
  const auto layout = layout_of(node);
  return layout ? layout->inputs : 0;
}

std::optional<ChannelAffine> batch_norm_affine(const ir::Node& node) {
  if (!node.is("BatchNormalization")) return std::nullopt;
  if (node.get_int("training_mode", 0) != 0) return std::nullopt;  // batch statistics
  std::array<Tensor, 4> parameters;                                // gamma, beta, mean, variance
  for (std::size_t index = 0; index < parameters.size(); ++index) {
    const Tensor* constant = constant_of(node.input(index + 1));
    if (constant == nullptr || constant->dim() != 1) return std::nullopt;
    parameters[index] = constant->to(at::kDouble);
    if (parameters[index].numel() != parameters[0].numel()) return std::nullopt;
  }
  const auto& [gamma, beta, mean, variance] = parameters;
  const auto epsilon = static_cast<double>(node.get_float("epsilon", kDefaultEpsilon));
  const Tensor scale = gamma / at::sqrt(variance + epsilon);
  const Tensor shift = beta - scale * mean;
  if (!at::isfinite(scale + shift).all().item<bool>()) return std::nullopt;
  return ChannelAffine{.scale = scale, .shift = shift};
}

bool fold_after(ir::Graph& graph, ir::Node& linear, const ChannelAffine& affine) {
  if (linear.is("BatchNormalization")) return fold_into_batch_norm(graph, linear, affine);
  const auto layout = layout_of(linear);
  if (!layout || layout->outputs != affine.scale.numel()) return false;
  const auto bias = bias_of(linear, layout->outputs);
  if (!bias) return false;
  const Tensor weight = constant_of(linear.input(kWeight))->to(at::kDouble);
  const Tensor spread = spread_outputs(linear, *layout, affine.scale, weight);
  return store(graph, linear, weight * spread, *bias * affine.scale + affine.shift);
}

bool fold_before(ir::Graph& graph, ir::Node& linear, const ChannelAffine& affine) {
  if (!linear.is("Conv") && !linear.is("Gemm")) return false;
  const auto layout = layout_of(linear);
  if (!layout || layout->inputs != affine.scale.numel()) return false;
  if (linear.is("Gemm") && linear.get_int("transA", 0) != 0) return false;  // channels are rows
  const bool shifts = affine.shift.count_nonzero().item<std::int64_t>() != 0;
  if (linear.is("Conv") && shifts && is_padded(linear)) return false;
  const auto bias = bias_of(linear, layout->outputs);
  if (!bias) return false;
  const Tensor weight = constant_of(linear.input(kWeight))->to(at::kDouble);
  const Tensor scale = spread_inputs(linear, *layout, affine.scale, weight);
  const Tensor shifted = weight * spread_inputs(linear, *layout, affine.shift, weight);
  const bool columns = linear.is("Gemm") && linear.get_int("transB", 0) == 0;
  Tensor shift = shifted.flatten(1).sum(columns ? 0 : 1);
  if (linear.is("Gemm")) shift = shift * static_cast<double>(linear.get_float("alpha", 1.0F));
  return store(graph, linear, weight * scale, *bias + shift);
}

}  // namespace espalier::passes
