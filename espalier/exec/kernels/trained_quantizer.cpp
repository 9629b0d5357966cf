#include "espalier/exec/kernels/trained_quantizer.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "espalier/base/check.h"
#include "espalier/exec/kernel.h"
#include "espalier/exec/kernels/composed_quantizer.h"
#include "espalier/exec/kernels/cuda/launch.h"
#include "espalier/exec/kernels/cuda/module.h"
#include "espalier/exec/kernels/memory_view.h"
#include "espalier/exec/kernels/quantizer_forms.h"
#include "espalier/tensor/parallel.h"

namespace espalier::exec {
namespace {

using Forms = std::vector<simd::QuantizerForm>;
using SumsList = std::vector<QuantizerSums>;

constexpr std::int64_t kBlock = simd::kReductionBlock;
constexpr std::int64_t kRows = simd::kReductionRows;
constexpr std::int64_t kGrain = 32768;  ///< elements below which a second thread does not pay

template <typename Element>
const Element* data_of(const Tensor& tensor) {
  return static_cast<const Element*>(tensor.const_data_ptr());
}
template <typename Element>
Element* writable(Tensor& tensor) {
  return tensor.defined() ? static_cast<Element*>(tensor.mutable_data_ptr()) : nullptr;
}

/// A tensor cut into blocks: every run of one scale ("plane") into parts of kBlock elements.
struct Blocks {
  explicit Blocks(const MemoryView& view)
      : inner(view.inner),
        channels(view.channels),
        planes(view.outer * view.channels),
        per_plane((view.inner + kBlock - 1) / kBlock) {}

  [[nodiscard]] std::int64_t count() const { return planes * per_plane; }
  [[nodiscard]] std::int64_t plane(std::int64_t block) const { return block / per_plane; }
  [[nodiscard]] std::size_t channel(std::int64_t block) const {
    return static_cast<std::size_t>(plane(block) % channels);
  }
  [[nodiscard]] std::int64_t begin(std::int64_t block) const {
    return plane(block) * inner + block % per_plane * kBlock;
  }
  [[nodiscard]] std::size_t length(std::int64_t block) const {
    return static_cast<std::size_t>(std::min(kBlock, inner - block % per_plane * kBlock));
  }
  [[nodiscard]] std::int64_t grain() const {
    return std::max<std::int64_t>(kGrain / std::max<std::int64_t>(std::min(inner, kBlock), 1), 1);
  }

  std::int64_t inner;
  std::int64_t channels;
  std::int64_t planes;
  std::int64_t per_plane;
};

template <typename Body>
void for_each_block(const Blocks& blocks, const Body& body) {
  at::parallel_for(0, blocks.count(), blocks.grain(), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) body(block);
  });
}

void widen(simd::Extremes& extremes, const simd::Extremes& other) {
  extremes.low = std::min(extremes.low, other.low);
  extremes.high = std::max(extremes.high, other.high);
}

/// Bit arrays of one bit an element, in whole groups of 16.
Tensor bit_array(const Tensor& values) {
  return at::empty({(values.numel() + 15) / 16 * 2},
                   at::TensorOptions(at::kByte).device(values.device()));
}

/// What a forward pass fills beside the extremes.
struct ForwardBuffers {
  Tensor output;
  Tensor codes;
  Tensor inside;
  Tensor above;
  bool rectify = false;  ///< the input is read as max(input, 0)
};

bool is_rows(const MemoryView& view) {
  return view.inner == 1 && view.channels > 1;
}

template <typename Element>
std::vector<simd::Extremes> forward_planes(const Tensor& input, const Forms& forms,
                                           ForwardBuffers& buffers, const MemoryView& view) {
  const Blocks blocks(view);
  std::vector<simd::Extremes> found(static_cast<std::size_t>(blocks.count()));
  const auto at = [](auto* first, std::int64_t offset) {
    return first == nullptr ? nullptr : first + offset;
  };
  Element* output = writable<Element>(buffers.output);
  auto* codes = writable<std::uint8_t>(buffers.codes);
  auto* inside = writable<std::uint8_t>(buffers.inside);
  auto* above = writable<std::uint8_t>(buffers.above);
  for_each_block(blocks, [&](std::int64_t block) {
    const std::int64_t begin = blocks.begin(block);
    const simd::ForwardRun<Element> run{.input = data_of<Element>(input) + begin,
                                        .output = at(output, begin),
                                        .codes = at(codes, begin),
                                        .inside = at(inside, begin / 8),
                                        .above = at(above, begin / 8),
                                        .count = blocks.length(block),
                                        .rectify = buffers.rectify};
    found[static_cast<std::size_t>(block)] =
        simd::quantize_block(run, forms[blocks.channel(block)]);
  });
  std::vector<simd::Extremes> extremes(static_cast<std::size_t>(view.channels));
  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    widen(extremes[blocks.channel(block)], found[static_cast<std::size_t>(block)]);
  }
  return extremes;
}

/// Scales and zero points as arrays.
struct FormArrays {
  explicit FormArrays(const Forms& forms) {
    for (const simd::QuantizerForm& form : forms) {
      scales.push_back(form.scale);
      zeros.push_back(form.zero);
    }
  }
  std::vector<float> scales;
  std::vector<float> zeros;
};

template <typename Body>
void for_each_row_block(const MemoryView& view, const Body& body) {
  const std::int64_t count = (view.outer + kRows - 1) / kRows;
  const std::int64_t grain = std::max<std::int64_t>(kGrain / (kRows * view.channels), 1);
  at::parallel_for(0, count, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block) {
      const std::int64_t row = block * kRows;
      body(block, row * view.channels, std::min(kRows, view.outer - row));
    }
  });
}

template <typename Element>
void forward_rows(const Tensor& input, const Forms& forms, ForwardBuffers& buffers,
                  const MemoryView& view) {
  const FormArrays arrays(forms);
  Element* output = writable<Element>(buffers.output);
  for_each_row_block(view, [&](std::int64_t, std::int64_t offset, std::int64_t rows) {
    simd::quantize_rows(simd::RowsRun<Element>{.input = data_of<Element>(input) + offset,
                                               .result = output + offset,
                                               .rows = static_cast<std::size_t>(rows),
                                               .channels = forms.size(),
                                               .scales = arrays.scales.data(),
                                               .zeros = arrays.zeros.data(),
                                               .low = forms.front().low,
                                               .high = forms.front().high});
  });
}

/// Extremes along every axis but one.
std::vector<simd::Extremes> extremes_of(const Tensor& input, std::int64_t axis) {
  std::vector<std::int64_t> axes;
  for (std::int64_t other = 0; other < input.dim(); ++other) {
    if (other != axis) axes.push_back(other);
  }
  const Tensor wide = input.detach().to(at::kCPU, at::kFloat);
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor number = at::isnan(wide).logical_not();
  const Tensor low = at::amin(at::where(number, wide, infinity), axes).reshape({-1}).contiguous();
  const Tensor high = at::amax(at::where(number, wide, -infinity), axes).reshape({-1}).contiguous();
  std::vector<simd::Extremes> extremes(static_cast<std::size_t>(low.numel()));
  for (std::size_t index = 0; index < extremes.size(); ++index) {
    extremes[index] = {low.const_data_ptr<float>()[index], high.const_data_ptr<float>()[index]};
  }
  return extremes;
}

template <typename Element>
std::vector<simd::Extremes> forward_fused(const Tensor& input, const Forms& forms,
                                          ForwardBuffers& buffers, std::int64_t axis) {
  const MemoryView view = view_memory(input, axis);
  if (!is_rows(view)) return forward_planes<Element>(input, forms, buffers, view);
  if (!buffers.output.defined()) return extremes_of(input, axis);
  forward_rows<Element>(input, forms, buffers, view);
  return {};
}

template <typename Element>
SumsList backward_planes(const Tensor& gradient, const Tensor& input, ForwardBuffers& kept,
                         const Forms& forms, Tensor& result, const MemoryView& view) {
  const Blocks blocks(view);
  std::vector<simd::GradientSums> found(static_cast<std::size_t>(blocks.count()));
  const auto* inside = writable<std::uint8_t>(kept.inside);
  const auto* above = writable<std::uint8_t>(kept.above);
  auto* target = writable<Element>(result);
  for_each_block(blocks, [&](std::int64_t block) {
    const std::int64_t begin = blocks.begin(block);
    const simd::BackwardRun<Element> run{
        .gradient = data_of<Element>(gradient) + begin,
        .result = target + begin,
        .input = input.defined() ? data_of<Element>(input) + begin : nullptr,
        .inside = inside == nullptr ? nullptr : inside + begin / 8,
        .above = above == nullptr ? nullptr : above + begin / 8,
        .count = blocks.length(block),
        .rectify = kept.rectify};
    found[static_cast<std::size_t>(block)] =
        simd::backward_block(run, forms[blocks.channel(block)]);
  });
  SumsList sums(static_cast<std::size_t>(view.channels));
  for (std::int64_t block = 0; block < blocks.count(); ++block) {
    const simd::GradientSums& part = found[static_cast<std::size_t>(block)];
    QuantizerSums& sum = sums[blocks.channel(block)];
    sum.above += double{part.above};
    sum.below += double{part.below};
    sum.rounding += double{part.rounding};
  }
  return sums;
}

template <typename Element>
SumsList backward_rows(const Tensor& gradient, const Tensor& input, const Forms& forms,
                       Tensor& result, const MemoryView& view) {
  const FormArrays arrays(forms);
  const std::size_t channels = forms.size();
  const std::int64_t count = (view.outer + kRows - 1) / kRows;
  std::vector<float> found(static_cast<std::size_t>(count) * 3 * channels);
  auto* target = writable<Element>(result);
  for_each_row_block(view, [&](std::int64_t block, std::int64_t offset, std::int64_t rows) {
    const simd::RowsRun<Element> run{.input = data_of<Element>(input) + offset,
                                     .gradient = data_of<Element>(gradient) + offset,
                                     .result = target + offset,
                                     .rows = static_cast<std::size_t>(rows),
                                     .channels = channels,
                                     .scales = arrays.scales.data(),
                                     .zeros = arrays.zeros.data(),
                                     .low = forms.front().low,
                                     .high = forms.front().high,
                                     .low_edge = forms.front().low_edge,
                                     .high_edge = forms.front().high_edge};
    simd::backward_rows(run, found.data() + static_cast<std::size_t>(block) * 3 * channels);
  });
  SumsList sums(channels);
  for (std::size_t block = 0; block < static_cast<std::size_t>(count); ++block) {
    const float* part = found.data() + block * 3 * channels;
    for (std::size_t channel = 0; channel < channels; ++channel) {
      sums[channel].above += double{part[channel]};
      sums[channel].below += double{part[channels + channel]};
      sums[channel].rounding += double{part[2 * channels + channel]};
    }
  }
  return sums;
}

template <typename Element>
SumsList backward_fused(const Tensor& gradient, const Tensor& input, ForwardBuffers& kept,
                        const Forms& forms, Tensor& result, std::int64_t axis) {
  const MemoryView view = view_memory(gradient, axis);
  if (!is_rows(view)) {
    return backward_planes<Element>(gradient, input, kept, forms, result, view);
  }
  return backward_rows<Element>(gradient, input, forms, result, view);
}

/// The loops of a GPU that holds the tensor; null: there are none.
const cuda::Module* gpu_loops(const Tensor& input) {
  return input.is_cuda() ? cuda::find_module() : nullptr;
}

bool is_fused(const Tensor& input) {
  const at::ScalarType type = input.scalar_type();
  return (type == at::kFloat || type == at::kBFloat16) &&
         (input.is_cpu() || gpu_loops(input) != nullptr);
}

std::vector<simd::Extremes> forward_on_gpu(const cuda::Module& module, const Tensor& input,
                                           const Forms& forms, ForwardBuffers& buffers,
                                           std::int64_t axis) {
  if (!buffers.output.defined() && is_rows(view_memory(input, axis))) {
    return extremes_of(input, axis);
  }
  cuda::Buffers filled{.output = buffers.output, .inside = buffers.inside, .above = buffers.above};
  return cuda::run_forward(module, input, forms, filled, axis);
}

std::vector<simd::Extremes> run_forward(const Tensor& input, const Forms& forms,
                                        ForwardBuffers& buffers, std::int64_t axis) {
  if (input.numel() == 0) return std::vector<simd::Extremes>(forms.size());
  if (const cuda::Module* module = gpu_loops(input)) {
    return forward_on_gpu(*module, input, forms, buffers, axis);
  }
  return input.scalar_type() == at::kFloat
             ? forward_fused<float>(input, forms, buffers, axis)
             : forward_fused<simd::BFloat16>(input, forms, buffers, axis);
}

/// `result`: undefined, or the gradient itself, which is then written over.
SumsList run_backward(const Tensor& gradient, const Tensor& input, ForwardBuffers& kept,
                      const Forms& forms, Tensor& result, std::int64_t axis) {
  if (!is_fused(gradient)) {
    ComposedGradient composed = differentiate_composed(gradient, input, forms, axis);
    result = std::move(composed.input);
    return std::move(composed.sums);
  }
  if (!result.defined()) result = at::empty_like(gradient);
  if (gradient.numel() == 0) return SumsList(forms.size());
  if (const cuda::Module* module = gpu_loops(gradient)) {
    const cuda::Buffers bits{.output = {}, .inside = kept.inside, .above = kept.above};
    return cuda::run_backward(*module, {.output = gradient, .input = input, .kept = bits}, forms,
                              result, axis);
  }
  return gradient.scalar_type() == at::kFloat
             ? backward_fused<float>(gradient, input, kept, forms, result, axis)
             : backward_fused<simd::BFloat16>(gradient, input, kept, forms, result, axis);
}

/// What backward needs to know of forward; owned by the autograd node.
struct Memory : torch::CustomClassHolder {
  enum class Kept { Nothing, Masks, Input };
  Kept kept = Kept::Nothing;
  Forms forms;
  QuantizerSettings settings;
  QuantizerTensors tensors;
  double elements = 0;
  bool learns = false;
  bool rectify = false;
  std::vector<std::int64_t> strides;  ///< of the input: how masks are ordered
};

/// Which tensors forward keeps: the cheapest that backward can work with.
Memory::Kept what_to_keep(const QuantizerStep& step, const Tensor& input) {
  if (step.covers_all()) return Memory::Kept::Nothing;
  const bool rounding = step.learns() && step.settings().estimator->needs_rounding;
  // Masks have one bit an element in the order of the whole tensor: an axis, even one of a single
  // channel, is walked in planes that need not begin at a byte.
  const bool whole = step.settings().axis < 0;
  const bool masks = is_fused(input) && whole && !rounding;
  return masks ? Memory::Kept::Masks : Memory::Kept::Input;
}

/// What forward gives beside its output.
struct ForwardRequest {
  bool codes = false;
  bool inside = false;
  bool above = false;
  bool rectify = false;
  bool overwrite = false;
};

ForwardBuffers quantize(const Tensor& input, QuantizerStep& step, Forms& forms,
                        const ForwardRequest& request) {
  const std::int64_t axis = step.settings().axis;
  ForwardBuffers buffers;
  buffers.rectify = request.rectify;
  base::invariant(!request.rectify || (is_fused(input) && axis < 0),
                  "a rectified quantizer outside of the fused loops");
  if (step.looks_first()) {
    step.observe(is_fused(input) ? run_forward(input, step.forms(), buffers, axis)
                                 : extremes_of(input, axis));
  }
  forms = step.forms();
  if (!is_fused(input)) {
    buffers.output = quantize_composed(input, forms, axis);
    if (step.looks_after()) step.observe(extremes_of(input, axis));
    return buffers;
  }
  buffers.output = request.overwrite ? share_memory(input) : at::empty_like(input);
  if (request.codes && input.is_cpu())
    buffers.codes = at::empty_like(input, input.options().dtype(at::kByte));
  if (request.inside) buffers.inside = bit_array(input);
  if (request.above) buffers.above = bit_array(input);
  const auto extremes = run_forward(input, forms, buffers, axis);
  if (step.looks_after()) step.observe(extremes);
  return buffers;
}

Tensor as_gradient(const std::vector<double>& values, const Tensor& like) {
  if (values.empty()) return {};
  return at::tensor(values).to(like.scalar_type()).reshape(like.sizes());
}

/// What autograd passes on as it is.
struct QuantizeJob {
  QuantizerStep& step;
  const QuantizeOptions& options;
  Quantized& result;  ///< gets codes and form where they are wanted
};

class TrainedQuantizer : public torch::autograd::Function<TrainedQuantizer> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                const Tensor& input, const Tensor& scale,
                                                const std::optional<Tensor>& state,
                                                const QuantizeJob* job) {
    QuantizerStep& step = job->step;
    const QuantizeOptions& options = job->options;
    auto memory = c10::make_intrusive<Memory>();
    memory->kept = what_to_keep(step, input);
    memory->settings = step.settings();
    memory->learns = step.learns();
    memory->elements = elements_per_scale(step.settings(), input, scale.numel());
    memory->strides = input.strides().vec();
    const bool masks = memory->kept == Memory::Kept::Masks;
    const bool keep_input = memory->kept == Memory::Kept::Input;
    memory->rectify = options.rectify;
    const ForwardBuffers buffers = quantize(input, step, memory->forms,
                                            {.codes = options.want_codes,
                                             .inside = masks,
                                             .above = masks && memory->learns,
                                             .rectify = options.rectify,
                                             .overwrite = options.overwrite && !keep_input});
    memory->tensors = {.scale = scale.detach(),
                       .zero_point = step.tensors().zero_point.detach().clone(),
                       .state = state.value_or(Tensor())};
    context->save_for_backward({keep_input ? input : Tensor(), buffers.inside, buffers.above});
    if (options.want_codes) {
      job->result.codes = buffers.codes;
      job->result.form = forms_tensor({&memory->forms.front(), 1});
    } else if (options.want_source) {
      job->result.source = input.detach();
      job->result.form = forms_tensor(memory->forms);
    }
    context->saved_data["memory"] = c10::IValue::make_capsule(std::move(memory));
    return {buffers.output};
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto capsule = context->saved_data["memory"].toCapsule();
    const Memory& memory = *static_cast<const Memory*>(capsule.get());
    torch::autograd::variable_list result(kNumArguments);
    if (memory.kept == Memory::Kept::Nothing) {
      result[0] = gradients[0];
      return result;
    }
    const torch::autograd::variable_list saved = context->get_saved_variables();
    const Tensor incoming = std::move(gradients[0]);
    const bool same_order = incoming.strides() == at::IntArrayRef(memory.strides);
    if (incoming.is_cpu() && same_order && may_overwrite(incoming)) result[0] = incoming;
    const Tensor gradient = with_strides(incoming, memory.strides);
    ForwardBuffers kept{.output = {},
                        .codes = {},
                        .inside = saved[1],
                        .above = saved[2],
                        .rectify = memory.rectify};
    const SumsList sums =
        run_backward(gradient, saved[0], kept, memory.forms, result[0], memory.settings.axis);
    if (!memory.learns) return result;
    const QuantizerGradients learned = memory.settings.estimator->differentiate(
        memory.settings, memory.tensors, sums, memory.elements);
    result[1] = as_gradient(learned.scale, memory.tensors.scale);
    result[2] = as_gradient(learned.state, memory.tensors.state);
    return result;
  }

 private:
  static constexpr std::size_t kNumArguments = 4;
};

/// How a differentiable function takes a tensor that may be left out.
std::optional<Tensor> given(const Tensor& tensor) {
  return tensor.defined() ? std::optional<Tensor>(tensor) : std::nullopt;
}

void check_length(const Tensor& input, const QuantizerStep& step) {
  const std::int64_t length = step.tensors().scale.numel();
  const std::int64_t axis = step.settings().axis;
  const bool fits = axis < 0 ? length == 1 : axis < input.dim() && length == input.size(axis);
  if (!fits || step.tensors().zero_point.numel() != length) {
    throw std::invalid_argument("scale and zero point do not fit the axis");
  }
}

bool wants_gradient(const Tensor& tensor) {
  return tensor.defined() && tensor.requires_grad();
}

}  // namespace

bool has_byte_codes(const QuantizerSettings& settings, std::int64_t num_scales) {
  return num_scales == 1 && settings.axis < 0 && settings.qmax - settings.qmin <= 255;
}

bool has_weight_forms(const QuantizerSettings& settings) {
  return settings.weight && settings.axis <= 0;
}

Tensor requantize_weight(const Tensor& source, const Tensor& forms) {
  const Forms rows = forms_from(forms);
  ForwardBuffers buffers;
  buffers.output = at::empty_like(source);
  static_cast<void>(run_forward(source, rows, buffers, rows.size() == 1 ? -1 : 0));
  return std::move(buffers.output);
}

double elements_per_scale(const QuantizerSettings& settings, const Tensor& input,
                          std::int64_t num_scales) {
  const auto elements = static_cast<double>(input.numel());
  const bool samples = !settings.weight && input.dim() > 0 && input.size(0) > 0;
  return elements / static_cast<double>(samples ? input.size(0) : num_scales);
}

Quantized train_quantize(const Tensor& input, QuantizerStep step, const QuantizeOptions& options) {
  check_length(input, step);
  const Tensor source = is_viewable(input) ? input : input.contiguous();
  const QuantizerTensors& tensors = step.tensors();
  const bool differentiate =
      at::GradMode::is_enabled() &&
      (source.requires_grad() || wants_gradient(tensors.scale) || wants_gradient(tensors.state));
  if (differentiate) {
    Quantized result;
    const QuantizeJob job{.step = step, .options = options, .result = result};
    result.value = TrainedQuantizer::apply(source, tensors.scale, given(tensors.state), &job)[0];
    return result;
  }
  const c10::AutoGradMode no_gradients(false);
  Forms forms;
  return {.value = quantize(source.detach(), step, forms,
                            {.rectify = options.rectify, .overwrite = options.overwrite})
                       .output,
          .codes = {},
          .form = {},
          .source = {}};
}

}  // namespace espalier::exec
