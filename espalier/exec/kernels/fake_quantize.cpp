#include "espalier/exec/kernels/fake_quantize.h"

#include <algorithm>
#include <stdexcept>

#include <ATen/Parallel.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/round.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/simd/fake_quantize.h"

namespace espalier::exec {
namespace {

constexpr std::int64_t kGrain = 32768;  ///< elements below which a second thread does not pay

/// How the quantizer's axis lies in a dense tensor's memory: [outer, channels, inner].
struct MemoryView {
  std::int64_t outer = 1;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

MemoryView view_memory(const Tensor& tensor, std::int64_t axis) {
  MemoryView view;
  view.channels = tensor.size(axis);
  for (std::int64_t other = 0; other < tensor.dim(); ++other) {
    if (other == axis) continue;
    const bool faster = tensor.stride(other) < tensor.stride(axis);
    (faster ? view.inner : view.outer) *= tensor.size(other);
  }
  return view;
}

struct Buffers {
  const float* input;
  float* output;
  std::uint8_t* inside;  ///< null when no gradient is wanted

  [[nodiscard]] simd::QuantizeRun part(std::int64_t offset, std::int64_t count) const {
    return {.input = input + offset,
            .output = output + offset,
            .inside = inside == nullptr ? nullptr : inside + offset,
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

/// A tensor whose channels lie at one place of the memory order, as MemoryView needs it.
bool is_viewable(const Tensor& tensor) {
  return tensor.is_contiguous() || tensor.is_contiguous(at::MemoryFormat::ChannelsLast) ||
         tensor.is_contiguous(at::MemoryFormat::ChannelsLast3d);
}

/// The fused loop over a float32 CPU tensor; fills `inside` (bytes) when it is defined.
Tensor run_fused(const Tensor& input, const FakeQuantizer& quantizer, Tensor* inside) {
  const Tensor source = is_viewable(input) ? input : input.contiguous();
  Tensor output = at::empty_like(source);
  if (source.numel() == 0) return output;
  if (inside != nullptr) *inside = at::empty_like(source, source.options().dtype(at::kByte));
  const Buffers buffers{source.const_data_ptr<float>(), output.mutable_data_ptr<float>(),
                        inside == nullptr ? nullptr : inside->mutable_data_ptr<std::uint8_t>()};
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
Tensor run_composed(const Tensor& input, const FakeQuantizer& quantizer, Tensor* inside) {
  const at::ScalarType type = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const Tensor scale = along_axis(quantizer.scale, input, quantizer.axis, type);
  const Tensor zero = along_axis(quantizer.zero, input, quantizer.axis, type);
  const Tensor code = at::nan_to_num(at::round(input.to(type) / scale), 0.0) + zero;
  const Tensor clamped = at::clamp(code, quantizer.qmin, quantizer.qmax);
  if (inside != nullptr) *inside = (clamped == code).to(at::kByte);
  return ((clamped - zero) * scale).to(input.scalar_type());
}

Tensor run_any(const Tensor& input, const FakeQuantizer& quantizer, Tensor* inside) {
  if (!input.is_cpu() || input.scalar_type() == at::kDouble) {
    return run_composed(input, quantizer, inside);
  }
  const Tensor output = run_fused(input.to(at::kFloat), quantizer, inside);
  return output.to(input.scalar_type());
}

class StraightThrough : public torch::autograd::Function<StraightThrough> {
 public:
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input,
                        const FakeQuantizer& quantizer) {
    Tensor inside;
    Tensor output = run_any(input, quantizer, &inside);
    context->save_for_backward({inside});
    return output;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const Tensor inside = context->get_saved_variables()[0];
    return {inside.defined() ? gradients[0] * inside : gradients[0], Tensor()};
  }
};

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
  const bool differentiate = at::GradMode::is_enabled() && input.requires_grad();
  if (differentiate) return StraightThrough::apply(input, quantizer);
  return run_any(input, quantizer, nullptr);
}

Kernel make_fake_quantize(const KernelRequest& request) {
  const ir::Node& node = request.node;
  FakeQuantizer settings;
  settings.qmin = static_cast<float>(node.get_int("qmin", 0));
  settings.qmax = static_cast<float>(node.get_int("qmax", 255));
  settings.axis = node.get_int("axis", -1);
  if (!(settings.qmin < settings.qmax)) throw std::invalid_argument("qmin must be below qmax");
  const Tensor* scale = request.constant(1);
  const Tensor* zero = request.constant(2);
  if (scale != nullptr && (zero != nullptr || !request.has_input(2))) {
    return [quantizer = prepare(*scale, zero == nullptr ? Tensor() : *zero, settings)](Call& call) {
      call.outputs[0] = apply_fake_quantize(call.inputs[0], quantizer);
    };
  }
  return [settings](Call& call) {
    const Tensor given_zero = call.has_input(2) ? call.inputs[2] : Tensor();
    call.outputs[0] =
        apply_fake_quantize(call.inputs[0], prepare(call.inputs[1], given_zero, settings));
  };
}

}  // namespace espalier::exec
