#include "espalier/exec/kernels/fake_quantize.h"

#include <algorithm>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/memory_view.h"
#include "espalier/exec/kernels/quantizer_step.h"
#include "espalier/exec/kernels/simd/fake_quantize.h"
#include "espalier/exec/kernels/trained_quantizer.h"
#include "espalier/tensor/parallel.h"

namespace espalier::exec {
namespace {

constexpr std::int64_t kGrain = 32768;  ///< elements below which a second thread does not pay

struct Buffers {
  const float* input;
  float* output;

  [[nodiscard]] simd::QuantizeRun part(std::int64_t offset, std::int64_t count) const {
    return {.input = input + offset,
            .output = output + offset,
            .count = static_cast<std::size_t>(count)};
  }
};

void run_per_tensor(const Buffers& buffers, std::int64_t count, const FakeQuantizer& quantizer) {
  const simd::Affine affine{quantizer.scale.item<float>(), quantizer.zero.item<float>()};
  const simd::GridLimits limits{quantizer.qmin, quantizer.qmax};
  at::parallel_for(0, count, kGrain, [&](std::int64_t begin, std::int64_t end) {
    simd::fake_quantize(buffers.part(begin, end - begin), affine, limits);
  });
}

/// Channels are the fastest axis (channels last): each row has a scale an element.
void run_rows(const Buffers& buffers, const MemoryView& view, const FakeQuantizer& quantizer) {
  const float* scales = quantizer.scale.const_data_ptr<float>();
  const float* zeros = quantizer.zero.const_data_ptr<float>();
  const simd::GridLimits limits{quantizer.qmin, quantizer.qmax};
  const std::int64_t grain = std::max<std::int64_t>(kGrain / view.channels, 1);
  at::parallel_for(0, view.outer, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const std::int64_t offset = row * view.channels;
      simd::fake_quantize_each(buffers.part(offset, view.channels), scales, zeros, limits);
    }
  });
}

/// Each channel is a run of `inner` elements.
void run_planes(const Buffers& buffers, const MemoryView& view, const FakeQuantizer& quantizer) {
  const float* scales = quantizer.scale.const_data_ptr<float>();
  const float* zeros = quantizer.zero.const_data_ptr<float>();
  const simd::GridLimits limits{quantizer.qmin, quantizer.qmax};
  const std::int64_t grain = std::max<std::int64_t>(kGrain / view.inner, 1);
  at::parallel_for(0, view.outer * view.channels, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t plane = begin; plane < end; ++plane) {
      const std::int64_t channel = plane % view.channels;
      const std::int64_t offset = plane * view.inner;
      simd::fake_quantize(buffers.part(offset, view.inner), {scales[channel], zeros[channel]},
                          limits);
    }
  });
}

/// The fused loop over a float32 CPU tensor.
Tensor run_fused(const Tensor& input, const FakeQuantizer& quantizer) {
  const Tensor source = is_viewable(input) ? input : input.contiguous();
  Tensor output = at::empty_like(source);
  if (source.numel() == 0) return output;
  const Buffers buffers{source.const_data_ptr<float>(), output.mutable_data_ptr<float>()};
  if (quantizer.scale.numel() == 1) {
    run_per_tensor(buffers, source.numel(), quantizer);
    return output;
  }
  const MemoryView view = view_memory(source, quantizer.axis);
  if (view.inner == 1) {
    run_rows(buffers, view, quantizer);
  } else {
    run_planes(buffers, view, quantizer);
  }
  return output;
}

Tensor along_axis(const Tensor& vector, const Tensor& like, std::int64_t axis,
                  at::ScalarType type) {
  const Tensor converted = vector.to(like.device(), type);
  if (axis < 0) return converted.reshape({});
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(like.dim()), 1);
  sizes[static_cast<std::size_t>(axis)] = converted.numel();
  return converted.view(sizes);
}

/// The same formula in operators of libtorch: other devices and float64.
Tensor run_composed(const Tensor& input, const FakeQuantizer& quantizer) {
  const at::ScalarType type = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor scale = along_axis(quantizer.scale, input, quantizer.axis, type);
  const Tensor zero = along_axis(quantizer.zero, input, quantizer.axis, type);
  const Tensor code = at::nan_to_num(at::round(input.to(type) / scale), 0.0) + zero;
  const Tensor clamped = at::clamp(code, quantizer.qmin, quantizer.qmax);
  return ((clamped - zero) * scale).to(input.scalar_type());
}

FakeQuantizer prepare(const Tensor& scale, const Tensor& zero, const FakeQuantizer& settings) {
  FakeQuantizer quantizer = settings;
  quantizer.scale = scale.to(at::kCPU, at::kFloat).reshape({-1}).contiguous();
  quantizer.zero = zero.defined() ? zero.to(at::kCPU, at::kFloat).reshape({-1}).contiguous()
                                  : at::zeros_like(quantizer.scale);
  if (quantizer.zero.numel() != quantizer.scale.numel()) {
    throw std::invalid_argument("scale and zero point have different lengths");
  }
  return quantizer;
}

/// The kernel of training programs. Outputs 1 and 2, where the step has them, get the codes
/// and their form, or a weight's source and its forms (RegionOutput).
Kernel make_trained(const QuantizerSettings& settings, bool rectify = false) {
  return [settings, rectify](Call& call) {
    QuantizerTensors tensors{.scale = call.inputs[1], .zero_point = {}, .state = {}};
    tensors.zero_point = call.has_input(2) ? call.inputs[2] : at::zeros_like(call.inputs[1]);
    if (call.has_input(ops::kEstimatorState)) tensors.state = call.inputs[ops::kEstimatorState];
    const bool more = call.outputs.size() > 1;
    const QuantizeOptions options{.want_codes = more && !settings.weight,
                                  .want_source = more && settings.weight,
                                  .rectify = rectify,
                                  .overwrite = may_overwrite(call.inputs[0])};
    const Quantized result =
        train_quantize(call.inputs[0],
                       QuantizerStep(settings, tensors,
                                     {.training = call.training, .frozen = call.frozen_quantizers}),
                       options);
    call.outputs[0] = result.value;
    if (!more) return;
    call.outputs[1] = settings.weight ? result.source : result.codes;
    call.outputs[2] = result.form;
  };
}

/// What evaluation makes of the tensors of an estimator: learned ones may be out of bounds, and
/// derived ones one step behind.
FakeQuantizer evaluated(const ir::Node& node, const QuantizerSettings& settings,
                        const FakeQuantizer& fixed) {
  QuantizerStep step(settings, quantizer_tensors(node), {});
  std::vector<float> scales;
  std::vector<float> zeros;
  for (const simd::QuantizerForm& form : step.forms()) {
    scales.push_back(form.scale);
    zeros.push_back(form.zero);
  }
  return prepare(at::tensor(scales), at::tensor(zeros), fixed);
}

void check_lengths(const Tensor& input, const FakeQuantizer& quantizer) {
  const std::int64_t length = quantizer.scale.numel();
  const bool fits = quantizer.axis < 0
                        ? length == 1
                        : quantizer.axis < input.dim() && length == input.size(quantizer.axis);
  if (!fits) throw std::invalid_argument("the scale does not fit the axis");
}

}  // namespace

Tensor apply_fake_quantize(const Tensor& input, const FakeQuantizer& quantizer) {
  check_lengths(input, quantizer);
  if (!input.is_cpu() || input.scalar_type() == at::kDouble) {
    return run_composed(input, quantizer);
  }
  return run_fused(input.to(at::kFloat), quantizer).to(input.scalar_type());
}

Kernel make_rectified_quantizer(const KernelRequest& request) {
  return make_trained(quantizer_settings(request.node), /*rectify=*/true);
}

Kernel make_fake_quantize(const KernelRequest& request) {
  const QuantizerSettings settings = quantizer_settings(request.node);
  if (request.options.mode == Mode::Training) return make_trained(settings);
  FakeQuantizer fixed;
  fixed.qmin = settings.qmin;
  fixed.qmax = settings.qmax;
  fixed.axis = settings.axis;
  const Tensor* scale = request.constant(1);
  const Tensor* zero = request.constant(2);
  if (settings.estimator != nullptr) {
    const bool follows = settings.weight && settings.estimator->follows_weight;
    const bool computed = !request.node.input(ops::kQuantizedValue)->is_initializer();
    const bool frozen = request.node.get_int("frozen", 0) != 0;
    if (follows && computed && !frozen) return make_trained(settings);
    return [quantizer = evaluated(request.node, settings, fixed)](Call& call) {
      call.outputs[0] = apply_fake_quantize(call.inputs[0], quantizer);
    };
  }
  if (scale != nullptr && (zero != nullptr || !request.has_input(2))) {
    return [quantizer = prepare(*scale, zero == nullptr ? Tensor() : *zero, fixed)](Call& call) {
      call.outputs[0] = apply_fake_quantize(call.inputs[0], quantizer);
    };
  }
  return [fixed](Call& call) {
    const Tensor given_zero = call.has_input(2) ? call.inputs[2] : Tensor();
    call.outputs[0] =
        apply_fake_quantize(call.inputs[0], prepare(call.inputs[1], given_zero, fixed));
  };
}

}  // namespace espalier::exec
