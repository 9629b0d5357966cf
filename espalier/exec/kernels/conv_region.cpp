#include "espalier/exec/kernels/conv_region.h"

#include <cmath>
#include <limits>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/convolve.h"
#include "espalier/exec/kernels/host_input.h"

namespace espalier::exec {
namespace {

std::optional<Activation> clip_of(const KernelRequest& request) {
  double low = -std::numeric_limits<float>::max();
  double high = std::numeric_limits<float>::max();
  for (const std::size_t port : {1, 2}) {
    if (!request.has_input(port)) continue;
    const Tensor* bound = request.constant(port);
    if (bound == nullptr || bound->numel() != 1 || !bound->is_floating_point()) return std::nullopt;
    (port == 1 ? low : high) = bound->item<double>();
  }
  if (!(low <= high)) return std::nullopt;
  return Activation{
      "hardtanh", {low, high}, "", [low, high](Tensor& x) { at::clamp_(x, low, high); }};
}

std::optional<Activation> hard_sigmoid_of(const ir::Node& node) {
  const float alpha = node.get_float("alpha", 0.2F);
  const bool known = std::abs(alpha - 1.0F / 6.0F) < 1e-6F && node.get_float("beta", 0.5F) == 0.5F;
  if (!known) return std::nullopt;
  return Activation{"hardsigmoid", {}, "", [](Tensor& x) { at::hardsigmoid_(x); }};
}

/// Folds y = (conv(x) - mean) * scale / sqrt(variance + epsilon) + bias into weight and bias.
void fold_batch_norm(const KernelRequest& request, Tensor& weight, Tensor& bias) {
  const auto constant = [&](std::size_t port) { return request.constant(port)->to(at::kDouble); };
  const double epsilon = request.node.get_float("epsilon", 1e-5F);
  const Tensor factor = constant(1) * at::rsqrt(constant(4) + epsilon);
  const at::ScalarType type = weight.scalar_type();
  const Tensor old_bias = bias.defined() ? bias.to(at::kDouble) : at::zeros_like(factor);
  bias = ((old_bias - constant(3)) * factor + constant(2)).to(type);
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(weight.dim()), 1);
  sizes[0] = factor.numel();
  weight = (weight.to(at::kDouble) * factor.view(sizes)).to(type);
}

/// What a region's kernel keeps.
struct Region {
  ConvSettings settings;
  Window window;
  Tensor weight;
  Tensor
      packed;  ///< oneDNN's layout, in place of `weight`; undefined when the portable way is taken
  std::int64_t output_channels = 0;
  std::int64_t input_channels = 0;
  Tensor bias;
  bool add = false;
  std::optional<Activation> activation;
};

c10::OperatorHandle find_op(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload);
}

Tensor pack_weight(const Region& region) {
  static const c10::OperatorHandle handle = find_op("mkldnn::_reorder_convolution_weight", "");
  const std::vector<std::int64_t> zeros(region.window.kernel.size(), 0);
  torch::jit::Stack stack{region.weight,
                          c10::List<std::int64_t>(zeros),
                          c10::List<std::int64_t>(region.window.strides),
                          c10::List<std::int64_t>(region.window.dilations),
                          region.settings.group,
                          c10::IValue()};
  handle.callBoxed(stack);
  return stack.front().toTensor();
}

c10::IValue scalars_of(const std::optional<Activation>& activation) {
  c10::List<std::optional<at::Scalar>> list;
  if (activation) {
    for (const double scalar : activation->scalars) list.push_back(at::Scalar(scalar));
  }
  return list;
}

c10::IValue text_or_none(const std::string& text) {
  return text.empty() ? c10::IValue() : c10::IValue(text);
}

Tensor run_plain(const Region& region, const PaddedInput& padded) {
  static const c10::OperatorHandle handle = find_op("mkldnn::_convolution_pointwise", "");
  const auto& activation = region.activation;
  torch::jit::Stack stack{padded.tensor,
                          region.packed,
                          region.bias.defined() ? c10::IValue(region.bias) : c10::IValue(),
                          padded.padding,
                          region.window.strides,
                          region.window.dilations,
                          region.settings.group,
                          activation ? activation->name : std::string("none"),
                          scalars_of(activation),
                          text_or_none(activation ? activation->algorithm : "")};
  handle.callBoxed(stack);
  return stack.front().toTensor();
}

/// Adds `other` inside the convolution, over its memory when nobody else needs it.
Tensor run_with_addition(const Region& region, const PaddedInput& padded, Tensor other) {
  static const c10::OperatorHandle fresh = find_op("mkldnn::_convolution_pointwise", "binary");
  static const c10::OperatorHandle reuse = find_op("mkldnn::_convolution_pointwise_", "binary");
  const bool relu = region.activation && region.activation->name == "relu";
  const bool in_place = may_overwrite(other) && other.is_contiguous(at::MemoryFormat::ChannelsLast);
  torch::jit::Stack stack{in_place ? other : padded.tensor,
                          in_place ? padded.tensor : other,
                          region.packed,
                          region.bias.defined() ? c10::IValue(region.bias) : c10::IValue(),
                          padded.padding,
                          region.window.strides,
                          region.window.dilations,
                          region.settings.group,
                          std::string("add"),
                          at::Scalar(1.0),
                          text_or_none(relu ? "relu" : ""),
                          scalars_of(std::nullopt),
                          c10::IValue()};
  (in_place ? reuse : fresh).callBoxed(stack);
  Tensor result = stack.front().toTensor();
  if (region.activation && !relu) region.activation->apply_in_place(result);
  return result;
}

bool same_sizes(const Tensor& other, const Region& region, const PaddedInput& padded) {
  if (other.dim() != padded.tensor.dim() || other.size(0) != padded.tensor.size(0)) return false;
  return other.size(1) == region.output_channels &&
         other.sizes().slice(2) == at::IntArrayRef(padded.output);
}

void check_channels(const Region& region, const Tensor& input) {
  const auto rank = static_cast<std::int64_t>(region.window.kernel.size());
  if (input.dim() != rank + 2 || input.size(1) != region.input_channels) {
    throw std::invalid_argument(fmt::format("the weight is made for {} channels and {} dimensions",
                                            region.input_channels, rank + 2));
  }
}

void run_packed(const Region& region, Call& call) {
  check_channels(region, call.inputs[0]);
  const PaddedInput padded = settle_padding(call.inputs[0], region.window);
  if (!region.add) {
    call.outputs[0] = run_plain(region, padded);
  } else if (same_sizes(call.inputs[1], region, padded)) {
    Tensor other = std::move(call.inputs[1]);
    call.outputs[0] = run_with_addition(region, padded, std::move(other));
  } else {
    Region plain = region;
    plain.activation.reset();
    Tensor sum = run_plain(plain, padded) + call.inputs[1];
    if (region.activation) region.activation->apply_in_place(sum);
    call.outputs[0] = std::move(sum);
  }
}

void run_portable(const Region& region, Call& call) {
  Tensor result = convolve(call.inputs[0], region.weight, region.bias, region.settings);
  if (region.add) {
    const Tensor& other = call.inputs[1];
    if (other.sizes() == result.sizes()) {
      result.add_(other);
    } else {
      result = result + other;
    }
  }
  if (region.activation) region.activation->apply_in_place(result);
  call.outputs[0] = std::move(result);
}

bool is_finite(const Tensor& tensor) {
  return !tensor.defined() || at::isfinite(tensor).all().item<bool>();
}

/// oneDNN's activations turn NaN into numbers: a layer that makes NaN from any input stays apart.
bool can_pack(const Region& region, const CompileOptions& options) {
  if (!is_finite(region.weight) || !is_finite(region.bias)) return false;
  return options.device.is_cpu() && options.channels_last &&
         options.dtype == tensor::DType::Float32 && region.weight.dim() == 4;
}

}  // namespace

std::optional<Activation> activation_of(const KernelRequest& request) {
  const ir::Node& node = request.node;
  if (node.is("Relu")) return Activation{"relu", {}, "", [](Tensor& x) { at::relu_(x); }};
  if (node.is("Sigmoid")) return Activation{"sigmoid", {}, "", [](Tensor& x) { at::sigmoid_(x); }};
  if (node.is("Tanh")) return Activation{"tanh", {}, "", [](Tensor& x) { at::tanh_(x); }};
  if (node.is("HardSwish")) {
    return Activation{"hardswish", {}, "", [](Tensor& x) { at::hardswish_(x); }};
  }
  if (node.is("HardSigmoid")) return hard_sigmoid_of(node);
  if (node.is("Clip")) return clip_of(request);
  if (node.is("LeakyRelu")) {
    const double slope = node.get_float("alpha", 0.01F);
    return Activation{"leaky_relu", {slope}, "", [slope](Tensor& x) { at::leaky_relu_(x, slope); }};
  }
  if (node.is("Gelu")) {
    const std::string form = node.get_string("approximate", "none");
    return Activation{"gelu", {}, form, [form](Tensor& x) { at::gelu_(x, form); }};
  }
  return std::nullopt;
}

Kernel make_conv_region(const ConvRegionRequest& request) {
  Region region{.settings = parse_conv(request.conv.node),
                .window = {},
                .weight = *request.conv.constant(1),
                .packed = {},
                .bias = {},
                .add = request.add,
                .activation = request.activation};
  check_weight(region.weight, region.settings);
  if (const Tensor* bias = request.conv.constant(2)) region.bias = *bias;
  region.window = region.settings.window.filled(region.weight.sizes().slice(2));
  region.output_channels = region.weight.size(0);
  region.input_channels = region.weight.size(1) * region.settings.group;
  if (request.batch_norm) fold_batch_norm(*request.batch_norm, region.weight, region.bias);
  const CompileOptions& options = request.conv.options;
  region.weight = lay_out_weight(region.weight, options);
  if (!can_pack(region, options)) {
    return [region](Call& call) { run_portable(region, call); };
  }
  region.packed = pack_weight(region);
  region.weight.reset();
  return [region](Call& call) { run_packed(region, call); };
}

}  // namespace espalier::exec
