#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/group_norm.h>
#include <ATen/ops/instance_norm.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/native_dropout.h>
#include <ATen/ops/native_layer_norm.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/rsqrt.h>
#include <ATen/ops/var.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/root.h"
#include "espalier/exec/kernels/window.h"

namespace espalier::exec {
namespace {

struct BatchNormSettings {
  double epsilon = 1e-5;
  double momentum = 0.9;  ///< in ONNX's sense: new = momentum * old + (1 - momentum) * batch
  bool declared_training = false;
};

Tensor normalize_batch(Call& call, const Tensor& mean, const Tensor& variance, bool training,
                       const BatchNormSettings& settings) {
  // libtorch's momentum is the weight of the new value: 1 makes it hand out the batch statistics.
  const double hand_out = 1;
  const bool use_cudnn = true;
  return at::batch_norm(call.inputs[0], call.inputs[1], call.inputs[2], mean, variance, training,
                        hand_out, settings.epsilon, use_cudnn);
}

/// Population variance from libtorch's, which divides by count - 1.
Tensor population_variance(const Tensor& unbiased, double count) {
  return count > 1 ? unbiased * ((count - 1) / count) : at::zeros_like(unbiased);
}

void run_training(Call& call, const BatchNormSettings& settings) {
  const Tensor& input = call.inputs[0];
  Tensor mean = at::zeros_like(call.inputs[3]);
  Tensor variance = at::zeros_like(call.inputs[4]);
  const bool training = true;
  call.outputs[0] = normalize_batch(call, mean, variance, training, settings);
  const c10::AutoGradMode no_gradients(false);
  const double count = static_cast<double>(input.numel()) /
                       static_cast<double>(std::max<std::int64_t>(input.size(1), 1));
  variance = population_variance(variance, count);
  const double fresh = 1 - settings.momentum;
  if (call.training) {
    call.inputs[3].mul_(settings.momentum).add_(mean, fresh);
    call.inputs[4].mul_(settings.momentum).add_(variance, fresh);
  }
  if (call.outputs.size() < 3) return;
  const bool updated = call.training;
  call.outputs[1] = updated ? call.inputs[3] : call.inputs[3] * settings.momentum + mean * fresh;
  call.outputs[2] =
      updated ? call.inputs[4] : call.inputs[4] * settings.momentum + variance * fresh;
}

ir::Ints trailing_axes(std::int64_t first, std::int64_t rank) {
  ir::Ints axes;
  for (std::int64_t axis = first; axis < rank; ++axis) axes.push_back(axis);
  return axes;
}

}  // namespace

Kernel make_batch_normalization(const KernelRequest& request) {
  const ir::Node& node = request.node;
  const BatchNormSettings settings{.epsilon = node.get_float("epsilon", 1e-5F),
                                   .momentum = node.get_float("momentum", 0.9F),
                                   .declared_training = node.get_int("training_mode", 0) != 0};
  const bool owned = request.options.mode == Mode::Training;
  return [settings, owned](Call& call) {
    if (call.inputs.size() != 5 || call.inputs[0].dim() < 2) {
      throw std::invalid_argument(
          "BatchNormalization takes 5 inputs, of which X has a channel axis");
    }
    const bool training =
        owned ? call.training && !call.frozen_batch_norm : settings.declared_training;
    if (training) {
      run_training(call, settings);
    } else {
      call.outputs[0] = normalize_batch(call, call.inputs[3], call.inputs[4], training, settings);
    }
  };
}

Kernel make_instance_normalization(const KernelRequest& request) {
  const double epsilon = request.node.get_float("epsilon", 1e-5F);
  return [epsilon](Call& call) {
    const bool use_input_statistics = true;
    const double momentum = 0;
    const bool use_cudnn = true;
    call.outputs[0] = at::instance_norm(call.inputs[0], call.inputs[1], call.inputs[2], {}, {},
                                        use_input_statistics, momentum, epsilon, use_cudnn);
  };
}

Kernel make_layer_normalization(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", -1);
  const double epsilon = request.node.get_float("epsilon", 1e-5F);
  return [axis, epsilon](Call& call) {
    const Tensor& input = call.inputs[0];
    const std::int64_t first = wrap_axis(axis, input.dim());
    const at::IntArrayRef shape = input.sizes().slice(static_cast<std::size_t>(first));
    const Tensor& scale = call.inputs[1];
    const Tensor bias = call.has_input(2) ? call.inputs[2] : Tensor();
    const bool direct = scale.sizes() == shape && (!bias.defined() || bias.sizes() == shape);
    auto [output, mean, deviation] = at::native_layer_norm(
        input.contiguous(), shape, direct ? scale : Tensor(), direct ? bias : Tensor(), epsilon);
    if (!direct) output = output * scale;
    if (!direct && bias.defined()) output = output + bias;
    call.outputs[0] = output;
    if (call.outputs.size() > 1) call.outputs[1] = mean;
    if (call.outputs.size() > 2) call.outputs[2] = deviation;
  };
}

Kernel make_group_normalization(const KernelRequest& request) {
  const std::int64_t groups = request.node.get_int("num_groups");
  const double epsilon = request.node.get_float("epsilon", 1e-5F);
  return [groups, epsilon](Call& call) {
    const Tensor& input = call.inputs[0];
    if (input.dim() < 2 || groups < 1 || input.size(1) % groups != 0) {
      throw std::invalid_argument(fmt::format("channels do not divide into {} groups", groups));
    }
    // Before opset 21 scale and bias have one element a group.
    const auto per_channel = [&](const Tensor& factor) {
      return factor.numel() == input.size(1) ? factor
                                             : factor.repeat_interleave(input.size(1) / groups);
    };
    call.outputs[0] = at::group_norm(input, groups, per_channel(call.inputs[1]),
                                     per_channel(call.inputs[2]), epsilon);
  };
}

Kernel make_rms_normalization(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", -1);
  const double epsilon = request.node.get_float("epsilon", 1e-5F);
  return [axis, epsilon](Call& call) {
    const Tensor& input = call.inputs[0];
    const ir::Ints axes = trailing_axes(wrap_axis(axis, input.dim()), input.dim());
    const bool keep = true;
    const Tensor power = at::mean(input * input, axes, keep);
    call.outputs[0] = input * at::rsqrt(power + epsilon) * call.inputs[1];
  };
}

Kernel make_lp_normalization(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", -1);
  const std::int64_t order = request.node.get_int("p", 2);
  if (order != 1 && order != 2) throw std::invalid_argument("p must be 1 or 2");
  return [axis, order](Call& call) {
    const Tensor& input = call.inputs[0];
    const bool keep = true;
    const Tensor norm = at::linalg_vector_norm(input, order, at::IntArrayRef{axis}, keep);
    const Tensor safe = at::where(norm == 0, at::ones_like(norm), norm);
    call.outputs[0] = input / safe;
  };
}

Kernel make_mean_variance_normalization(const KernelRequest& request) {
  const ir::Ints axes = request.node.get_ints("axes", {0, 2, 3});
  return [axes](Call& call) {
    constexpr double kEpsilon = 1e-9;  // ONNX's own
    const Tensor& input = call.inputs[0];
    const bool keep = true;
    const Tensor centred = input - at::mean(input, axes, keep);
    const Tensor deviation = root_of(at::mean(centred * centred, axes, keep));
    call.outputs[0] = centred / (deviation + kEpsilon);
  };
}

Kernel make_lrn(const KernelRequest& request) {
  const ir::Node& node = request.node;
  const std::int64_t size = node.get_int("size");
  const double alpha = node.get_float("alpha", 1e-4F);
  const double beta = node.get_float("beta", 0.75F);
  const double bias = node.get_float("bias", 1.0F);
  if (size < 1 || size > 4096) throw std::invalid_argument("size must be 1 to 4096");
  return [=](Call& call) {
    const Tensor& input = call.inputs[0];
    const std::int64_t channels = input.size(1);
    const Tensor squares = input * input;
    Tensor sum = at::zeros_like(input);
    for (std::int64_t offset = -((size - 1) / 2); offset <= size / 2; ++offset) {
      const std::int64_t count = channels - std::abs(offset);
      if (count <= 0) continue;
      const std::int64_t to = offset < 0 ? -offset : 0;
      sum.narrow(1, to, count).add_(squares.narrow(1, to + offset, count));
    }
    call.outputs[0] = input * at::pow(sum * (alpha / static_cast<double>(size)) + bias, -beta);
  };
}

Kernel make_dropout(const KernelRequest& request) {
  constexpr double kDefaultRatio = 0.5;
  const bool owned = request.options.mode == Mode::Training;
  return [owned](Call& call) {
    const Tensor& input = call.inputs[0];
    const double ratio = call.has_input(1) ? call.inputs[1].item<double>() : kDefaultRatio;
    const bool declared = call.has_input(2) && call.inputs[2].item<bool>();
    const bool active = (owned ? call.training : declared) && ratio > 0;
    if (!active) {
      call.outputs[0] = input;
      if (call.outputs.size() > 1) call.outputs[1] = at::ones_like(input, at::kBool);
      return;
    }
    const bool training = true;
    auto [output, mask] = at::native_dropout(input, ratio, training);
    call.outputs[0] = output;
    if (call.outputs.size() > 1) call.outputs[1] = mask;
  };
}

}  // namespace espalier::exec
