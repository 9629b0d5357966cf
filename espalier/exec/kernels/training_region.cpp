#include "espalier/exec/kernels/training_region.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>

#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "espalier/base/check.h"
#include "espalier/exec/kernels/convolve.h"
#include "espalier/exec/kernels/quantizer_forms.h"
#include "espalier/exec/kernels/simd/batch_norm.h"
#include "espalier/exec/kernels/trained_quantizer.h"
#include "espalier/tensor/parallel.h"

namespace espalier::exec {
namespace {

constexpr std::int64_t kRows = simd::kReductionRows;
constexpr std::int64_t kGrain = 32768;  ///< elements below which a second thread does not pay

/// What the region's nodes say.
struct Region {
  ConvSettings conv;
  bool normalizes = false;
  double epsilon = 0;
  double momentum = 0;  ///< in ONNX's sense: new = momentum * old + (1 - momentum) * batch
  simd::Bounds bounds = {};
  std::optional<QuantizerSettings> quantizer = {};

  /// False when the convolution's result is the region's.
  [[nodiscard]] bool has_loops() const {
    return normalizes || quantizer.has_value() || bounds.inclusive || std::isfinite(bounds.low);
  }
};

/// One image tensor as rows of channels, cut into blocks.
struct Rows {
  explicit Rows(const Tensor& tensor)
      : channels(tensor.size(1)),
        count(channels == 0 ? 0 : tensor.numel() / channels),
        blocks((count + kRows - 1) / kRows) {}

  template <typename Body>
  void for_each(const Body& body) const {
    const std::int64_t grain = std::max<std::int64_t>(kGrain / (kRows * channels), 1);
    at::parallel_for(0, blocks, grain, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t row = block * kRows;
        body(static_cast<std::size_t>(block), row * channels,
             static_cast<std::size_t>(std::min(kRows, count - row)));
      }
    });
  }

  /// Sums blocks of `kinds` arrays, one after the other, in double.
  [[nodiscard]] std::vector<double> total(const std::vector<float>& parts,
                                          std::size_t kinds) const {
    std::vector<double> sums(kinds * static_cast<std::size_t>(channels));
    for (std::size_t start = 0; start < parts.size(); start += sums.size()) {
      for (std::size_t index = 0; index < sums.size(); ++index) {
        sums[index] += double{parts[start + index]};
      }
    }
    return sums;
  }

  std::int64_t channels;
  std::int64_t count;
  std::int64_t blocks;
};

/// BatchNormalization as an affine map of every channel.
struct Affine {
  std::vector<float> factor;
  std::vector<float> offset;
  std::vector<float> mean;
  std::vector<double> deviation;  ///< 1 / sqrt(variance + epsilon)
  bool of_batch = false;          ///< mean and variance are the batch's own
};

struct Moments {
  std::vector<double> mean;
  std::vector<double> variance;  ///< of the population
};

Moments batch_moments(const Tensor& values, const Rows& rows) {
  const auto channels = static_cast<std::size_t>(rows.channels);
  const float* data = values.const_data_ptr<float>();
  std::vector<float> parts(static_cast<std::size_t>(rows.blocks) * 2 * channels);
  rows.for_each([&](std::size_t block, std::int64_t offset, std::size_t count) {
    simd::channel_moments(data + offset, count, channels, data, &parts[block * 2 * channels]);
  });
  const std::vector<double> sums = rows.total(parts, 2);
  Moments moments{.mean = std::vector<double>(channels), .variance = std::vector<double>(channels)};
  const double count = static_cast<double>(std::max<std::int64_t>(rows.count, 1));
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const double shifted = sums[channel] / count;
    const double square = sums[channels + channel] / count;
    moments.mean[channel] = double{data[channel]} + shifted;
    moments.variance[channel] = std::max(square - shifted * shifted, 0.0);
    if (std::isnan(square)) moments.variance[channel] = square;
  }
  return moments;
}

Moments stored_moments(const Call& call) {
  const auto read = [](const Tensor& tensor) {
    const float* data = tensor.const_data_ptr<float>();
    return std::vector<double>(data, data + tensor.numel());
  };
  return {.mean = read(call.inputs[RegionPort::Mean]),
          .variance = read(call.inputs[RegionPort::Variance])};
}

void fade_in(Tensor& running, const std::vector<double>& batch, double momentum) {
  float* data = running.mutable_data_ptr<float>();
  for (std::size_t index = 0; index < batch.size(); ++index) {
    data[index] =
        static_cast<float>(momentum * double{data[index]} + (1 - momentum) * batch[index]);
  }
}

/// y = x: a region without BatchNormalization.
Affine identity_affine(std::size_t channels) {
  return {.factor = std::vector<float>(channels, 1.0F),
          .offset = std::vector<float>(channels, 0.0F),
          .mean = std::vector<float>(channels, 0.0F),
          .deviation = std::vector<double>(channels, 1.0)};
}

Affine make_affine(const Region& region, const Tensor& values, const Rows& rows, Call& call) {
  if (!region.normalizes) return identity_affine(static_cast<std::size_t>(rows.channels));
  Affine affine;
  affine.of_batch = call.training && !call.frozen_batch_norm;
  const Moments moments = affine.of_batch ? batch_moments(values, rows) : stored_moments(call);
  if (affine.of_batch) {
    fade_in(call.inputs[RegionPort::Mean], moments.mean, region.momentum);
    fade_in(call.inputs[RegionPort::Variance], moments.variance, region.momentum);
  }
  const float* gamma = call.inputs[RegionPort::Gamma].const_data_ptr<float>();
  const float* beta = call.inputs[RegionPort::Beta].const_data_ptr<float>();
  for (std::size_t channel = 0; channel < moments.mean.size(); ++channel) {
    const double deviation = 1.0 / std::sqrt(moments.variance[channel] + region.epsilon);
    const double factor = double{gamma[channel]} * deviation;
    affine.deviation.push_back(deviation);
    affine.factor.push_back(static_cast<float>(factor));
    affine.offset.push_back(
        static_cast<float>(double{beta[channel]} - factor * moments.mean[channel]));
    affine.mean.push_back(static_cast<float>(moments.mean[channel]));
  }
  return affine;
}

/// What backward needs beside saved tensors; owned by the autograd node.
struct Memory : torch::CustomClassHolder {
  Region region;
  Tensor convolved;  ///< the convolution's result; backward frees it as soon as its loops are done
  ir::Ints padding;
  ir::Ints strides;
  ir::Ints dilations;
  Affine affine;
  simd::QuantizerForm form;
  simd::QuantizerForm input_form;
  Tensor weight_forms;  ///< defined where the weight is quantized again in backward
  QuantizerTensors tensors;
  double elements = 0;
  bool learns = false;
  bool has_bias = false;
  bool wants_codes = false;
  std::array<bool, 3> wanted{};    ///< gradients of input, weight, bias
  std::vector<std::size_t> given;  ///< Argument of each tensor of the list
};

/// What forward computes.
struct Forward {
  Tensor convolved;
  Tensor value;
  Tensor codes;
};

simd::NormalizeRun normalize_run(const Memory& memory, const Tensor& convolved) {
  return {.input = convolved.const_data_ptr<float>(),
          .channels = memory.affine.factor.size(),
          .factor = memory.affine.factor.data(),
          .offset = memory.affine.offset.data(),
          .bounds = memory.region.bounds,
          .form = memory.region.quantizer ? &memory.form : nullptr};
}

/// One pass over the convolution's result; without an output it only finds extremes.
simd::Extremes normalize(const Memory& memory, const Rows& rows, const Tensor& convolved,
                         Tensor* value, Tensor* codes) {
  const simd::NormalizeRun whole = normalize_run(memory, convolved);
  float* output = value == nullptr ? nullptr : value->mutable_data_ptr<float>();
  std::uint8_t* code = codes == nullptr ? nullptr : codes->mutable_data_ptr<std::uint8_t>();
  std::vector<simd::Extremes> found(static_cast<std::size_t>(rows.blocks));
  rows.for_each([&](std::size_t block, std::int64_t offset, std::size_t count) {
    simd::NormalizeRun run = whole;
    run.input += offset;
    run.output = output == nullptr ? nullptr : output + offset;
    run.codes = code == nullptr ? nullptr : code + offset;
    run.rows = count;
    found[block] = simd::normalize_rows(run);
  });
  simd::Extremes extremes;
  for (const simd::Extremes& part : found) {
    extremes.low = std::min(extremes.low, part.low);
    extremes.high = std::max(extremes.high, part.high);
  }
  return extremes;
}

QuantizerStep make_step(const Region& region, const Call& call) {
  QuantizerTensors tensors{.scale = call.inputs[RegionPort::Scale],
                           .zero_point = call.inputs[RegionPort::ZeroPoint],
                           .state = call.inputs[RegionPort::State]};
  return {
      *region.quantizer, tensors, {.training = call.training, .frozen = call.frozen_quantizers}};
}

/// Everything behind the convolution.
void run_loops(Memory& memory, Forward& result, Call& call, bool in_place) {
  const Rows rows(result.convolved);
  memory.affine = make_affine(memory.region, result.convolved, rows, call);
  std::optional<QuantizerStep> step;
  if (memory.region.quantizer) {
    step.emplace(make_step(memory.region, call));
    if (step->looks_first()) {
      const simd::Extremes extremes = normalize(memory, rows, result.convolved, nullptr, nullptr);
      step->observe({&extremes, 1});
    }
    memory.form = step->forms().front();
    memory.learns = step->learns();
    memory.elements = elements_per_scale(*memory.region.quantizer, result.convolved, 1);
    memory.tensors = {.scale = step->tensors().scale.detach(),
                      .zero_point = step->tensors().zero_point.detach().clone(),
                      .state = step->tensors().state};
  }
  if (memory.wants_codes) {
    result.codes = at::empty_like(result.convolved, result.convolved.options().dtype(at::kByte));
  }
  result.value = in_place ? result.convolved : at::empty_like(result.convolved);
  const simd::Extremes extremes = normalize(memory, rows, result.convolved, &result.value,
                                            result.codes.defined() ? &result.codes : nullptr);
  if (step && step->looks_after()) step->observe({&extremes, 1});
}

Forward run_forward(Memory& memory, Call& call, bool in_place) {
  const Tensor& weight = call.inputs[RegionPort::Weight];
  const Tensor bias = call.inputs[RegionPort::Bias];
  Forward result;
  result.convolved = convolve(call.inputs[RegionPort::Input], weight, bias, memory.region.conv)
                         .contiguous(at::MemoryFormat::ChannelsLast);
  const Window window = memory.region.conv.window.filled(weight.sizes().slice(2));
  memory.padding = settle_padding(call.inputs[RegionPort::Input], window).padding;
  memory.strides = window.strides;
  memory.dilations = window.dilations;
  memory.has_bias = bias.defined();
  if (memory.region.has_loops()) {
    run_loops(memory, result, call, in_place);
  } else {
    result.value = result.convolved;
  }
  return result;
}

/// Gradients of the loops: of the convolution's result, and of gamma, beta, scale and state.
struct LoopGradients {
  Tensor convolved;
  Tensor gamma;
  Tensor beta;
  QuantizerGradients quantizer;
};

simd::NormalizeBackwardRun backward_run(const Memory& memory, const Tensor& gradient,
                                        const Tensor& convolved) {
  const bool quantizes = memory.region.quantizer.has_value();
  return {.gradient = gradient.const_data_ptr<float>(),
          .input = convolved.const_data_ptr<float>(),
          .channels = memory.affine.factor.size(),
          .factor = memory.affine.factor.data(),
          .offset = memory.affine.offset.data(),
          .mean = memory.affine.mean.data(),
          .bounds = memory.region.bounds,
          .form = quantizes ? &memory.form : nullptr,
          .inside = quantizes ? simd::inside_range(memory.form) : simd::InsideRange{},
          .learns = memory.learns,
          .rounding = memory.learns && memory.region.quantizer->estimator->needs_rounding};
}

struct BackwardSums {
  std::vector<double> channels;  ///< [NormalizeSum, channels]
  QuantizerSums quantizer;
};

BackwardSums backward_sums(const simd::NormalizeBackwardRun& whole, const Rows& rows) {
  const std::size_t size = simd::NormalizeSum::Count * whole.channels;
  std::vector<float> parts(static_cast<std::size_t>(rows.blocks) * size);
  std::vector<simd::GradientSums> blocks(static_cast<std::size_t>(rows.blocks));
  rows.for_each([&](std::size_t block, std::int64_t offset, std::size_t count) {
    simd::NormalizeBackwardRun run = whole;
    run.gradient += offset;
    run.input += offset;
    run.rows = count;
    blocks[block] = simd::normalize_sums(run, &parts[block * size]);
  });
  BackwardSums sums{.channels = rows.total(parts, simd::NormalizeSum::Count), .quantizer = {}};
  for (const simd::GradientSums& block : blocks) {
    sums.quantizer.above += block.above;
    sums.quantizer.below += block.below;
    sums.quantizer.rounding += block.rounding;
  }
  return sums;
}

/// With statistics of the batch, of M values a channel (Ioffe and Szegedy, arXiv:1502.03167):
/// dx = factor (dy - mean(dy) - (x - mean) / (variance + epsilon) mean(dy (x - mean))).
void batch_terms(const Memory& memory, const std::vector<double>& sums, double count,
                 std::vector<float>& slope, std::vector<float>& shift) {
  const std::size_t channels = memory.affine.factor.size();
  for (std::size_t channel = 0; channel < channels; ++channel) {
    const double factor = memory.affine.factor[channel];
    const double deviation = memory.affine.deviation[channel];
    const double product = sums[simd::NormalizeSum::Product * channels + channel];
    slope[channel] = static_cast<float>(-factor * deviation * deviation * product / count);
    shift[channel] = static_cast<float>(-factor * sums[channel] / count);
  }
}

Tensor parameter_gradient(const std::vector<double>& values) {
  return at::tensor(values).to(at::kFloat);
}

QuantizerGradients learned_gradients(const Memory& memory, const QuantizerSums& sums) {
  return memory.region.quantizer->estimator->differentiate(*memory.region.quantizer, memory.tensors,
                                                           {&sums, 1}, memory.elements);
}

/// True when nobody else sees what is written to the tensor.
bool is_sole_owner(const Tensor& tensor) {
  return tensor.use_count() == 1 && tensor.storage().use_count() == 1 && !tensor.requires_grad();
}

/// The gradient in rows of channels; a copy only where its memory is laid out otherwise.
Tensor in_rows(const Tensor& given) {
  return given.contiguous(at::MemoryFormat::ChannelsLast);
}

/// Writes over the gradient where it may.
LoopGradients backward_loops(const Memory& memory, Tensor gradient, const Tensor& convolved) {
  const Rows rows(convolved);
  const auto channels = static_cast<std::size_t>(rows.channels);
  const simd::NormalizeBackwardRun whole = backward_run(memory, gradient, convolved);
  const auto [sums, quantizer] = backward_sums(whole, rows);
  std::vector<float> slope(channels);
  std::vector<float> shift(channels);
  if (memory.affine.of_batch) {
    batch_terms(memory, sums, static_cast<double>(rows.count), slope, shift);
  }
  LoopGradients result;
  result.convolved = is_sole_owner(gradient) ? std::move(gradient) : at::empty_like(convolved);
  float* target = result.convolved.mutable_data_ptr<float>();
  rows.for_each([&](std::size_t, std::int64_t offset, std::size_t count) {
    simd::NormalizeBackwardRun run = whole;
    run.gradient += offset;
    run.input += offset;
    run.result = target + offset;
    run.rows = count;
    simd::normalize_backward(run, slope.data(), shift.data());
  });
  if (memory.region.normalizes) {
    std::vector<double> gamma(channels);
    for (std::size_t channel = 0; channel < channels; ++channel) {
      gamma[channel] =
          sums[simd::NormalizeSum::Product * channels + channel] * memory.affine.deviation[channel];
    }
    result.gamma = parameter_gradient(gamma);
    result.beta = parameter_gradient({sums.begin(), sums.begin() + rows.channels});
  }
  if (memory.learns) result.quantizer = learned_gradients(memory, quantizer);
  return result;
}

Tensor as_gradient(const std::vector<double>& values, const Tensor& like) {
  if (values.empty()) return {};
  return at::tensor(values).to(like.scalar_type()).reshape(like.sizes());
}

/// Tensors that the differentiable function has a gradient of. It takes those that are defined, as
/// one list in this order (Memory::given), then two arguments without a gradient.
struct Argument {
  enum : std::size_t { Input, Weight, Bias, Gamma, Beta, Scale, State, Tensors };
};

class RegionFunction : public torch::autograd::Function<RegionFunction> {
 public:
  static torch::autograd::variable_list forward(torch::autograd::AutogradContext* context,
                                                at::TensorList tensors,
                                                const c10::intrusive_ptr<Memory>& memory,
                                                Call* call) {
    const Tensor& input = tensors[Argument::Input];
    const Tensor& weight = tensors[Argument::Weight];
    const bool in_place = false;
    Forward result = run_forward(*memory, *call, in_place);
    const Tensor& codes = call->inputs[RegionPort::Codes];
    if (codes.defined()) memory->input_form = forms_from(call->inputs[RegionPort::Form]).front();
    const Tensor& source = call->inputs[RegionPort::WeightSource];
    if (source.defined()) memory->weight_forms = call->inputs[RegionPort::WeightForms];
    context->save_for_backward(
        {codes.defined() ? Tensor() : input, source.defined() ? source : weight, codes});
    if (memory->region.has_loops()) memory->convolved = std::move(result.convolved);
    context->saved_data["memory"] = c10::IValue::make_capsule(memory);
    if (memory->wants_codes) call->outputs[RegionOutput::Codes] = result.codes;
    return {result.value};
  }

  /// Takes the gradients by reference, so that the list holds no second owner of their memory.
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list& gradients) {
    const auto capsule = context->saved_data["memory"].toCapsule();
    Memory& memory = *static_cast<Memory*>(capsule.get());
    const torch::autograd::variable_list saved = context->get_saved_variables();
    LoopGradients loops;
    loops.convolved = in_rows(std::exchange(gradients[0], Tensor()));
    if (memory.region.has_loops()) {
      const Tensor convolved = std::exchange(memory.convolved, Tensor());
      base::invariant(convolved.defined(), "backward ran twice through one step");
      loops = backward_loops(memory, std::move(loops.convolved), convolved);
    }
    const Tensor input =
        saved[0].defined() ? saved[0] : dequantize_bytes(saved[2], memory.input_form);
    const Tensor weight =
        memory.weight_forms.defined() ? requantize_weight(saved[1], memory.weight_forms) : saved[1];
    at::OptionalIntArrayRef bias_sizes = std::nullopt;
    const std::vector<std::int64_t> channels{weight.size(0)};
    if (memory.has_bias) bias_sizes = channels;
    const bool transposed = false;
    const auto [input_gradient, weight_gradient, bias_gradient] = at::convolution_backward(
        loops.convolved, input, weight, bias_sizes, memory.strides, memory.padding,
        memory.dilations, transposed, ir::Ints(memory.strides.size(), 0), memory.region.conv.group,
        memory.wanted);
    std::array<Tensor, Argument::Tensors> result;
    result[Argument::Input] = input_gradient;
    result[Argument::Weight] = weight_gradient;
    result[Argument::Bias] = bias_gradient;
    result[Argument::Gamma] = loops.gamma;
    result[Argument::Beta] = loops.beta;
    if (memory.learns) {
      result[Argument::Scale] = as_gradient(loops.quantizer.scale, memory.tensors.scale);
      result[Argument::State] = as_gradient(loops.quantizer.state, memory.tensors.state);
    }
    torch::autograd::variable_list list;
    for (const std::size_t argument : memory.given) list.push_back(result[argument]);
    list.resize(memory.given.size() + 2);
    return list;
  }
};

bool wants_gradient(const Call& call) {
  return std::any_of(call.inputs.begin(), call.inputs.end(),
                     [](const Tensor& input) { return input.defined() && input.requires_grad(); });
}

bool requires_gradient(const Tensor& tensor) {
  return tensor.defined() && tensor.requires_grad();
}

void check_channels(const Region& region, const Call& call) {
  const Tensor& input = call.inputs[RegionPort::Input];
  const Tensor& weight = call.inputs[RegionPort::Weight];
  if (input.dim() != 4 || input.size(1) != weight.size(1) * region.conv.group) {
    throw std::invalid_argument("the input does not have the channels of the weight");
  }
}

void run_region(const Region& region, Call& call) {
  check_channels(region, call);
  auto memory = c10::make_intrusive<Memory>();
  memory->region = region;
  const bool differentiate = at::GradMode::is_enabled() && wants_gradient(call);
  memory->wants_codes = differentiate && call.outputs.size() > RegionOutput::Codes;
  if (differentiate) {
    const std::span<Tensor> in = call.inputs;
    memory->wanted = {requires_gradient(in[RegionPort::Input]),
                      requires_gradient(in[RegionPort::Weight]),
                      requires_gradient(in[RegionPort::Bias])};
    const std::array<Tensor, Argument::Tensors> ports{
        in[RegionPort::Input], in[RegionPort::Weight], in[RegionPort::Bias], in[RegionPort::Gamma],
        in[RegionPort::Beta],  in[RegionPort::Scale],  in[RegionPort::State]};
    std::vector<Tensor> tensors;
    for (std::size_t argument = 0; argument < ports.size(); ++argument) {
      if (!ports[argument].defined()) continue;
      memory->given.push_back(argument);
      tensors.push_back(ports[argument]);
    }
    call.outputs[RegionOutput::Value] =
        RegionFunction::apply(at::TensorList(tensors), memory, &call)[0];
  } else {
    const c10::AutoGradMode no_gradients(false);
    const bool in_place = true;
    call.outputs[RegionOutput::Value] = run_forward(*memory, call, in_place).value;
  }
  if (memory->wants_codes) call.outputs[RegionOutput::Form] = forms_tensor({&memory->form, 1});
}

simd::Bounds bounds_of(const KernelRequest& request) {
  if (request.node.is("Relu")) return {.low = 0};
  simd::Bounds bounds{.inclusive = true};
  if (const Tensor* low = request.constant(1)) bounds.low = low->item<float>();
  if (const Tensor* high = request.constant(2)) bounds.high = high->item<float>();
  return bounds;
}

}  // namespace

Kernel make_training_region(const TrainingRegionRequest& request) {
  Region region{.conv = parse_conv(request.conv.node)};
  if (request.batch_norm) {
    region.normalizes = true;
    region.epsilon = double{request.batch_norm->node.get_float("epsilon", 1e-5F)};
    region.momentum = double{request.batch_norm->node.get_float("momentum", 0.9F)};
  }
  if (request.activation) region.bounds = bounds_of(*request.activation);
  if (request.quantizer) region.quantizer = quantizer_settings(request.quantizer->node);
  return [region](Call& call) { run_region(region, call); };
}

}  // namespace espalier::exec
