#include "espalier/exec/kernels/cuda/launch.h"

#include <algorithm>
#include <stdexcept>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/memory_view.h"

namespace espalier::exec::cuda {
namespace {

constexpr std::int64_t kBlock = simd::kReductionBlock;
constexpr std::int64_t kRows = simd::kReductionRows;

// Structures travel as rows of floats.
constexpr std::int64_t kFormFloats = 6;
constexpr std::int64_t kExtremesFloats = 2;
constexpr std::int64_t kSumsFloats = 3;
static_assert(sizeof(simd::QuantizerForm) == kFormFloats * sizeof(float));
static_assert(sizeof(simd::Extremes) == kExtremesFloats * sizeof(float));
static_assert(sizeof(simd::GradientSums) == kSumsFloats * sizeof(float));

void check(const Module& module, int error) {
  if (error == 0) return;
  throw std::runtime_error(fmt::format("a CUDA kernel failed: {}", module.describe(error)));
}

/// Of the device that holds a tensor; 0 for the processor, where tests run.
int device_of(const Tensor& tensor) {
  return std::max<int>(tensor.device().index(), 0);
}

Tensor to_device(std::span<const simd::QuantizerForm> forms, const Tensor& like) {
  const auto count = static_cast<std::int64_t>(forms.size());
  auto* data = const_cast<simd::QuantizerForm*>(forms.data());
  return at::from_blob(data, {count, kFormFloats}, at::kFloat).clone().to(like.device());
}

Tensor floats_on(const Tensor& like, std::int64_t rows, std::int64_t columns) {
  return at::empty({rows, columns},
                   like.options().dtype(at::kFloat).memory_format(at::MemoryFormat::Contiguous));
}

bool is_half(const Tensor& tensor) {
  return tensor.scalar_type() == at::kBFloat16;
}

Blocks blocks_of(const MemoryView& view) {
  return {.inner = view.inner,
          .channels = view.channels,
          .planes = view.outer * view.channels,
          .per_plane = (view.inner + kBlock - 1) / kBlock};
}

bool is_rows(const MemoryView& view) {
  return view.inner == 1 && view.channels > 1;
}

std::uint8_t* bytes_of(Tensor& tensor) {
  return tensor.defined() ? tensor.mutable_data_ptr<std::uint8_t>() : nullptr;
}
const std::uint8_t* bytes_of(const Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<std::uint8_t>() : nullptr;
}

void widen(simd::Extremes& extremes, float low, float high) {
  extremes.low = std::min(extremes.low, low);
  extremes.high = std::max(extremes.high, high);
}

/// Adds the sums of blocks in their order, in double: [blocks, 3] of planes, [blocks, 3, channels]
/// of rows.
std::vector<QuantizerSums> add_rows(const Tensor& found, std::int64_t channels) {
  const Tensor host = found.to(at::kCPU);
  const float* data = host.const_data_ptr<float>();
  std::vector<QuantizerSums> sums(static_cast<std::size_t>(channels));
  for (std::int64_t block = 0; block < host.size(0); ++block) {
    const float* part = data + block * kSumsFloats * channels;
    for (std::int64_t channel = 0; channel < channels; ++channel) {
      QuantizerSums& sum = sums[static_cast<std::size_t>(channel)];
      sum.above += double{part[channel]};
      sum.below += double{part[channels + channel]};
      sum.rounding += double{part[2 * channels + channel]};
    }
  }
  return sums;
}

std::vector<QuantizerSums> add_planes(const Tensor& found, const Blocks& blocks) {
  const Tensor host = found.to(at::kCPU);
  const float* data = host.const_data_ptr<float>();
  std::vector<QuantizerSums> sums(static_cast<std::size_t>(blocks.channels));
  for (std::int64_t block = 0; block < host.size(0); ++block) {
    const float* part = data + block * kSumsFloats;
    QuantizerSums& sum = sums[static_cast<std::size_t>(block / blocks.per_plane % blocks.channels)];
    sum.above += double{part[0]};
    sum.below += double{part[1]};
    sum.rounding += double{part[2]};
  }
  return sums;
}

}  // namespace

std::vector<simd::Extremes> run_forward(const Module& module, const Tensor& input,
                                        std::span<const simd::QuantizerForm> forms,
                                        Buffers& buffers, std::int64_t axis) {
  const MemoryView view = view_memory(input, axis);
  const Tensor on_device = to_device(forms, input);
  const auto* form_data =
      reinterpret_cast<const simd::QuantizerForm*>(on_device.const_data_ptr<float>());
  void* output = buffers.output.defined() ? buffers.output.mutable_data_ptr() : nullptr;
  if (is_rows(view)) {
    check(module, module.rows({.input = input.const_data_ptr(),
                               .result = output,
                               .forms = form_data,
                               .rows = view.outer,
                               .channels = view.channels,
                               .half = is_half(input)},
                              device_of(input)));
    return {};
  }
  const Blocks blocks = blocks_of(view);
  Tensor found = floats_on(input, blocks.planes * blocks.per_plane, kExtremesFloats);
  check(module,
        module.forward({.input = input.const_data_ptr(),
                        .output = output,
                        .inside = bytes_of(buffers.inside),
                        .above = bytes_of(buffers.above),
                        .forms = form_data,
                        .found = reinterpret_cast<simd::Extremes*>(found.mutable_data_ptr<float>()),
                        .blocks = blocks,
                        .half = is_half(input)},
                       device_of(input)));
  const Tensor host = found.to(at::kCPU);
  const float* data = host.const_data_ptr<float>();
  std::vector<simd::Extremes> extremes(static_cast<std::size_t>(view.channels));
  for (std::int64_t block = 0; block < host.size(0); ++block) {
    widen(extremes[static_cast<std::size_t>(block / blocks.per_plane % blocks.channels)],
          data[block * kExtremesFloats], data[block * kExtremesFloats + 1]);
  }
  return extremes;
}

std::vector<QuantizerSums> run_backward(const Module& module, const Gradients& given,
                                        std::span<const simd::QuantizerForm> forms, Tensor& result,
                                        std::int64_t axis) {
  const Tensor& gradient = given.output;
  const MemoryView view = view_memory(gradient, axis);
  const Tensor on_device = to_device(forms, gradient);
  const auto* form_data =
      reinterpret_cast<const simd::QuantizerForm*>(on_device.const_data_ptr<float>());
  const void* values = given.input.defined() ? given.input.const_data_ptr() : nullptr;
  if (is_rows(view)) {
    const std::int64_t blocks = (view.outer + kRows - 1) / kRows;
    Tensor found = floats_on(gradient, blocks, kSumsFloats * view.channels);
    check(module, module.rows({.input = values,
                               .gradient = gradient.const_data_ptr(),
                               .result = result.mutable_data_ptr(),
                               .forms = form_data,
                               .sums = found.mutable_data_ptr<float>(),
                               .rows = view.outer,
                               .channels = view.channels,
                               .half = is_half(gradient)},
                              device_of(gradient)));
    return add_rows(found, view.channels);
  }
  const Blocks blocks = blocks_of(view);
  Tensor found = floats_on(gradient, blocks.planes * blocks.per_plane, kSumsFloats);
  check(module,
        module.backward(
            {.gradient = gradient.const_data_ptr(),
             .result = result.mutable_data_ptr(),
             .input = values,
             .inside = bytes_of(given.kept.inside),
             .above = bytes_of(given.kept.above),
             .forms = form_data,
             .found = reinterpret_cast<simd::GradientSums*>(found.mutable_data_ptr<float>()),
             .blocks = blocks,
             .half = is_half(gradient)},
            device_of(gradient)));
  return add_planes(found, blocks);
}

}  // namespace espalier::exec::cuda
