#include "espalier/exec/kernels/trained_quantizer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/count_nonzero.h>
#include <ATen/ops/full.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "espalier/exec/kernel.h"
#include "espalier/exec/kernels/quantizer_forms.h"
#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

const EstimatorRow* row_of(const std::string& name) {
  const auto rows = estimator_rows();
  const auto place = std::ranges::find(rows, name, &EstimatorRow::name);
  return place == rows.end() ? nullptr : &*place;
}

/// A quantizer and its input.
struct GradientCase {
  std::string estimator;  ///< empty: fixed parameters
  kit::Sizes sizes;
  int bits = 8;
  bool is_signed = false;
  float zero = 0;
  std::int64_t axis = -1;
  bool weight = false;
  bool channels_last = false;
  at::ScalarType type = at::kFloat;
};

QuantizerSettings settings_of(const GradientCase& row) {
  const float half = std::ldexp(1.0F, row.bits - 1);
  return {.qmin = row.is_signed ? -half : 0,
          .qmax = (row.is_signed ? half : 2 * half) - 1,
          .axis = row.axis,
          .estimator = row_of(row.estimator),
          .weight = row.weight};
}

/// Scales that leave a good part of [-3, 3] outside of the codes.
QuantizerTensors tensors_of(const GradientCase& row, const QuantizerSettings& settings) {
  const std::int64_t count = row.axis < 0 ? 1 : row.sizes.at(static_cast<std::size_t>(row.axis));
  Tensor scale = kit::random_tensor({count}, 3, {.low = 0.6, .high = 1.4});
  scale = (scale * (2.0F / (settings.qmax - settings.qmin))).contiguous();
  QuantizerTensors tensors{.scale = scale, .zero_point = at::full({count}, row.zero), .state = {}};
  if (row.estimator == "lsq_plus") tensors.state = -row.zero * scale;
  if (row.estimator == "pact") {
    tensors.state = at::full({1}, 1.25F);
  }
  if (row.estimator.starts_with("moving_average")) tensors.state = kit::tensor_of({-1.1F, 2, 2});
  if (row.estimator == "moving_average_abs_max") tensors.state = kit::tensor_of({2.4F, 2});
  if (row.estimator == "range_abs_max") tensors.state = kit::tensor_of({1, 1, 1.3F, 0, 0});
  return tensors;
}

/// The closed form, element by element; sums in double.
struct Reference {
  std::vector<float> output;
  std::vector<float> gradient;
  std::vector<QuantizerSums> sums;
};

Reference reference_of(const Tensor& input, const Tensor& upstream, const GradientCase& row,
                       const std::vector<simd::QuantizerForm>& forms) {
  const std::vector<double> x = kit::values_of(input);
  const std::vector<double> g = kit::values_of(upstream);
  std::int64_t inner = 1;
  for (std::size_t axis = static_cast<std::size_t>(row.axis + 1);
       row.axis >= 0 && axis < row.sizes.size(); ++axis) {
    inner *= row.sizes[axis];
  }
  Reference result;
  result.sums.resize(forms.size());
  for (std::size_t index = 0; index < x.size(); ++index) {
    const std::size_t channel =
        row.axis < 0 ? 0 : index / static_cast<std::size_t>(inner) % forms.size();
    const simd::QuantizerForm& form = forms[channel];
    const float quotient = static_cast<float>(x[index]) / form.scale;
    const bool number = !std::isnan(quotient);
    const float code = (number ? std::nearbyint(quotient) : 0.0F) + form.zero;
    const float clamped = std::clamp(code, form.low, form.high);
    result.output.push_back(number ? (clamped - form.zero) * form.scale
                                   : static_cast<float>(x[index]));
    // LSQ's and PACT's case distinctions are of x / s, before it is rounded.
    const float place = (number ? quotient : 0.0F) + form.zero;
    // The largest weight is where the last code is, however its quotient is rounded.
    const bool covered = row.estimator == "abs_max" && row.weight;
    // A learned limit is beyond; an end at zero is none.
    const bool learned =
        row.estimator == "lsq" || row.estimator == "lsq_plus" || row.estimator == "pact";
    const bool above = place > form.high || (learned && place == form.high);
    const bool below = place < form.low || (learned && form.zero > form.low && place == form.low);
    const bool inside = covered || (!above && !below);
    result.gradient.push_back(inside ? static_cast<float>(g[index]) : 0.0F);
    QuantizerSums& sum = result.sums[channel];
    if (above) sum.above += g[index];
    if (below) sum.below += g[index];
    if (inside && number) {
      sum.rounding += g[index] * (std::nearbyint(double{quotient}) - double{quotient});
    }
  }
  return result;
}

/// d/ds, d/d(offset) and d/d(clip) from the papers' formulas.
struct Learned {
  std::vector<double> scale;
  std::vector<double> state;
};

Learned learned_of(const Reference& reference, const GradientCase& row,
                   const QuantizerSettings& settings, const std::vector<simd::QuantizerForm>& forms,
                   std::int64_t count) {
  Learned learned;
  const std::int64_t a_sample = count / row.sizes.front();
  const double shared = row.weight ? static_cast<double>(count) / static_cast<double>(forms.size())
                                   : static_cast<double>(a_sample);
  for (std::size_t index = 0; index < forms.size(); ++index) {
    const double zero = forms[index].zero;
    const double low = settings.qmin;
    const double high = settings.qmax;
    const QuantizerSums& sum = reference.sums[index];
    const double levels = std::max(high - zero, zero - low);
    const double of_offset = 1 / std::sqrt(shared * levels);
    const double factor =
        levels <= 15 ? of_offset : std::pow(15, 1.5) / (levels * levels * std::sqrt(shared));
    if (row.estimator == "lsq") {
      learned.scale.push_back(
          factor * (sum.rounding + (high - zero) * sum.above + (low - zero) * sum.below));
    } else if (row.estimator == "lsq_plus") {
      learned.scale.push_back(factor * (sum.rounding + high * sum.above + low * sum.below));
      const double offset = of_offset * (sum.above + sum.below);
      // Offsets here lie exactly at their zero points: at an end, no step leads out of the codes.
      const bool leaves = (zero == low && offset < 0) || (zero == high && offset > 0);
      learned.state.push_back(leaves ? 0 : offset);
    } else if (row.estimator == "pact") {
      learned.state.push_back(sum.above + (low - zero) / (high - zero) * sum.below);
    }
  }
  return learned;
}

void expect_learned(const Tensor& gradient, const std::vector<double>& expected, double magnitude) {
  if (expected.empty()) {
    EXPECT_FALSE(gradient.defined());
    return;
  }
  ASSERT_TRUE(gradient.defined());
  const std::vector<double> actual = kit::values_of(gradient);
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t index = 0; index < expected.size(); ++index) {
    EXPECT_NEAR(actual[index], expected[index],
                2e-5 * std::abs(expected[index]) + 1e-6 * magnitude);
  }
}

Tensor lay_out(const Tensor& tensor, const GradientCase& row) {
  const bool images = row.channels_last && tensor.dim() == 4;
  return images ? tensor.contiguous(at::MemoryFormat::ChannelsLast) : tensor;
}

void expect_case(const GradientCase& row) {
  SCOPED_TRACE(testing::Message() << row.estimator << " bits " << row.bits << " axis " << row.axis
                                  << " elements " << row.sizes.front());
  const QuantizerSettings settings = settings_of(row);
  QuantizerTensors tensors = tensors_of(row, settings);
  const Tensor values = kit::random_tensor(row.sizes, 1, {.low = -3, .high = 3}).to(row.type);
  Tensor input = lay_out(values, row).detach().set_requires_grad(true);
  const Tensor upstream = kit::random_tensor(row.sizes, 2, {.normal = true}).to(row.type);
  const bool learns = settings.estimator != nullptr && settings.estimator->differentiate != nullptr;
  if (learns && row.estimator != "pact") tensors.scale.set_requires_grad(true);
  if (learns && tensors.state.defined()) tensors.state.set_requires_grad(true);
  QuantizerStep step(settings, tensors, {.training = true});
  if (step.looks_first()) {  // the reference's parameters, from a second look at the value
    std::vector<simd::Extremes> extremes(static_cast<std::size_t>(tensors.scale.numel()));
    for (std::size_t index = 0; index < extremes.size(); ++index) {
      const Tensor part =
          row.axis < 0 ? values : values.select(row.axis, static_cast<std::int64_t>(index));
      extremes[index] = {part.min().item<float>(), part.max().item<float>()};
    }
    step.observe(extremes);
  }
  const auto forms = step.forms();
  const Reference reference = reference_of(values, upstream, row, forms);
  const Tensor output =
      train_quantize(input, QuantizerStep(settings, tensors, {.training = true})).value;
  EXPECT_THAT(output.detach(),
              kit::HasSameBits(kit::tensor_of(reference.output, row.sizes).to(row.type)));
  output.backward(upstream);
  EXPECT_THAT(input.grad(),
              kit::HasSameBits(kit::tensor_of(reference.gradient, row.sizes).to(row.type)));
  const Learned learned = learned_of(reference, row, settings, forms, values.numel());
  const double magnitude = std::sqrt(static_cast<double>(values.numel()));
  expect_learned(tensors.scale.grad(), learned.scale, magnitude);
  if (tensors.state.defined()) expect_learned(tensors.state.grad(), learned.state, magnitude);
}

TEST(TrainedQuantizer, EqualsTheClosedFormForActivations) {
  for (const std::string estimator : {"", "abs_max", "range_abs_max", "moving_average_abs_max",
                                      "moving_average_min_max", "pact", "lsq", "lsq_plus"}) {
    for (const int bits : {2, 3, 4, 8, 12, 16}) {
      expect_case({.estimator = estimator, .sizes = {3, 5, 7, 3}, .bits = bits});
      expect_case({.estimator = estimator,
                   .sizes = {2, 17, 3, 5},
                   .bits = bits,
                   .is_signed = true,
                   .channels_last = true});
      expect_case({.estimator = estimator,
                   .sizes = {2, 9},
                   .bits = bits,
                   .zero = std::ldexp(1.0F, bits - 1)});
    }
  }
}

TEST(TrainedQuantizer, EqualsTheClosedFormForWeights) {
  for (const std::string estimator : {"", "abs_max", "lsq"}) {
    for (const int bits : {2, 4, 8, 16}) {
      for (const bool channels_last : {false, true}) {
        for (const std::int64_t axis : {-1, 0, 1}) {
          expect_case({.estimator = estimator,
                       .sizes = {5, 7, 3, 3},
                       .bits = bits,
                       .is_signed = true,
                       .axis = axis,
                       .weight = true,
                       .channels_last = channels_last});
        }
        expect_case({.estimator = estimator,
                     .sizes = {21, 33, 1, 1},
                     .bits = bits,
                     .is_signed = true,
                     .axis = 1,
                     .weight = true,
                     .channels_last = channels_last});
      }
    }
    expect_case(
        {.estimator = estimator, .sizes = {3, 5001}, .is_signed = true, .axis = 0, .weight = true});
  }
}

/// What a step through a Relu and a quantizer leaves, in one kernel or in two.
std::vector<Tensor> rectified_step(const GradientCase& row, bool fused) {
  const QuantizerSettings settings = settings_of(row);
  QuantizerTensors tensors = tensors_of(row, settings);
  const bool learns = settings.estimator != nullptr && settings.estimator->differentiate != nullptr;
  if (learns && row.estimator != "pact") tensors.scale.set_requires_grad(true);
  if (learns && tensors.state.defined()) tensors.state.set_requires_grad(true);
  Tensor values = kit::random_tensor(row.sizes, 1, {.low = -3, .high = 3});
  float* first = values.mutable_data_ptr<float>();
  std::ranges::copy(std::array{std::nanf(""), -0.0F, 0.0F, kInfinity, -kInfinity}, first);
  const Tensor leaf = lay_out(values, row).detach().set_requires_grad(true);
  const QuantizerStep step(settings, tensors, {.training = true});
  Tensor input = leaf * 1.0;
  const void* memory = input.const_data_ptr();
  const bool overwrite = may_overwrite(input);
  EXPECT_TRUE(overwrite);
  if (!fused) input = at::relu(input);
  const Tensor output =
      train_quantize(input, step, {.rectify = fused, .overwrite = fused && overwrite}).value;
  const bool keeps_input = settings.estimator != nullptr && settings.estimator->needs_rounding;
  if (fused) {
    EXPECT_EQ(output.const_data_ptr() == memory, !keeps_input) << "in place";
  }
  input.reset();
  const Tensor result = output.detach().clone();
  output.backward(kit::random_tensor(row.sizes, 2, {.normal = true}));
  const Tensor& state = tensors.state;
  return {result,
          leaf.grad(),
          tensors.scale.detach(),
          tensors.scale.grad(),
          state,
          state.defined() ? state.grad() : Tensor()};
}

TEST(TrainedQuantizer, RectifiedInputsEqualAReluInFront) {
  for (const std::string estimator : {"", "abs_max", "range_abs_max", "moving_average_abs_max",
                                      "moving_average_min_max", "pact", "lsq", "lsq_plus"}) {
    for (const GradientCase& row :
         {GradientCase{.estimator = estimator, .sizes = {3, 5, 7, 3}},
          GradientCase{.estimator = estimator, .sizes = {2, 17, 3, 5}, .channels_last = true},
          GradientCase{.estimator = estimator, .sizes = {2, 9}, .bits = 4, .is_signed = true},
          GradientCase{.estimator = estimator, .sizes = {3, 5001}, .bits = 4, .zero = 8}}) {
      SCOPED_TRACE(testing::Message() << estimator << " elements " << row.sizes.back());
      const std::vector<Tensor> one = rectified_step(row, true);
      const std::vector<Tensor> two = rectified_step(row, false);
      for (std::size_t index = 0; index < one.size(); ++index) {
        ASSERT_EQ(one[index].defined(), two[index].defined()) << index;
        if (!one[index].defined()) continue;
        EXPECT_THAT(one[index], kit::HasSameBits(two[index])) << index;
      }
    }
  }
}

TEST(TrainedQuantizer, HandlesEveryLength) {
  for (std::int64_t length = 1; length < 40; ++length) {
    expect_case({.estimator = "lsq", .sizes = {length}});
    expect_case({.estimator = "pact", .sizes = {length}});
  }
  for (const std::int64_t length : {4095, 4096, 4097, 8193, 70001}) {
    expect_case({.estimator = "lsq", .sizes = {1, length}});
    expect_case({.estimator = "pact", .sizes = {1, length}});
  }
}

TEST(TrainedQuantizer, RoundsBFloat16AsLibtorchDoes) {
  for (const std::string estimator : {"", "abs_max", "moving_average_min_max", "pact", "lsq"}) {
    expect_case({.estimator = estimator, .sizes = {3, 5, 7, 3}, .type = at::kBFloat16});
  }
  expect_case({.estimator = "lsq",
               .sizes = {21, 33, 1, 1},
               .is_signed = true,
               .axis = 1,
               .weight = true,
               .type = at::kBFloat16});
}

TEST(TrainedQuantizer, DoubleAgreesWithFloat) {
  const GradientCase row{.estimator = "lsq", .sizes = {2, 3, 5, 5}, .is_signed = true};
  const QuantizerSettings settings = settings_of(row);
  const Tensor values = kit::random_tensor(row.sizes, 1, {.low = -3, .high = 3});
  std::vector<Tensor> gradients;
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    QuantizerTensors tensors = tensors_of(row, settings);
    tensors.scale = tensors.scale.to(type).detach().set_requires_grad(true);
    const Tensor input = values.to(type);
    const Tensor output =
        train_quantize(input, QuantizerStep(settings, tensors, {.training = true})).value;
    EXPECT_EQ(output.scalar_type(), type);
    (output * output).sum().backward();
    gradients.push_back(tensors.scale.grad());
  }
  EXPECT_EQ(gradients[1].scalar_type(), at::kDouble);
  EXPECT_THAT(gradients[0], kit::IsCloseTo(gradients[1], kit::Tolerance{.relative = 1e-5}));
}

TEST(TrainedQuantizer, KeepsNotANumberAndClampsInfinity) {
  const QuantizerSettings settings{.qmin = 0, .qmax = 255};
  const QuantizerTensors tensors{
      .scale = kit::tensor_of({0.01F}), .zero_point = kit::tensor_of({0}), .state = {}};
  Tensor input = kit::tensor_of({NAN, kInfinity, -kInfinity, 1e-40F, -0.0F, 3e38F});
  input.set_requires_grad(true);
  const Tensor output =
      train_quantize(input, QuantizerStep(settings, tensors, {.training = true})).value;
  EXPECT_TRUE(std::isnan(output[0].item<float>()));
  EXPECT_THAT(output.detach().slice(0, 1),
              kit::HasSameBits(kit::tensor_of({2.55F, 0, 0, 0, 2.55F})));
  output.slice(0, 1).sum().backward();
  EXPECT_THAT(input.grad().slice(0, 1), kit::HasSameBits(kit::tensor_of({0, 0, 1, 1, 0})));
}

TEST(TrainedQuantizer, ZeroAndSubnormalWeightsGetANeutralScale) {
  const QuantizerSettings settings{
      .qmin = -127, .qmax = 127, .axis = 0, .estimator = row_of("abs_max"), .weight = true};
  const QuantizerTensors tensors{
      .scale = kit::tensor_of({9, 9, 9}), .zero_point = kit::tensor_of({0, 0, 0}), .state = {}};
  const Tensor weight = kit::tensor_of({0, 0, 1e-41F, 0, 127, -254}, {3, 2});
  const Tensor output =
      train_quantize(weight, QuantizerStep(settings, tensors, {.training = false})).value;
  EXPECT_THAT(output, kit::HasSameBits(kit::tensor_of({0, 0, 0, 0, 128, -254}, {3, 2})));
  EXPECT_THAT(tensors.scale, kit::HasSameBits(kit::tensor_of({1, 1, 2})));
}

TEST(TrainedQuantizer, CodesGiveTheValuesBack) {
  const GradientCase row{.estimator = "pact", .sizes = {2, 5, 3, 3}, .zero = 100};
  const QuantizerSettings settings = settings_of(row);
  ASSERT_TRUE(has_byte_codes(settings, 1));
  const QuantizerTensors tensors = tensors_of(row, settings);
  Tensor input = kit::random_tensor(row.sizes, 1, {.low = -3, .high = 3})
                     .contiguous(at::MemoryFormat::ChannelsLast);
  input.set_requires_grad(true);
  const Quantized result = train_quantize(
      input, QuantizerStep(settings, tensors, {.training = true}), {.want_codes = true});
  ASSERT_EQ(result.codes.scalar_type(), at::kByte);
  EXPECT_THAT(dequantize_bytes(result.codes, forms_from(result.form).front()),
              kit::HasSameBits(result.value.detach()));
}

TEST(TrainedQuantizer, ASourceGivesTheWeightAgain) {
  for (const std::string estimator : {"", "abs_max", "lsq"}) {
    for (const std::int64_t axis : {-1, 0}) {
      const GradientCase row{.estimator = estimator,
                             .sizes = {5, 7, 3, 3},
                             .bits = 4,
                             .is_signed = true,
                             .axis = axis,
                             .weight = true};
      const QuantizerSettings settings = settings_of(row);
      ASSERT_TRUE(has_weight_forms(settings));
      const QuantizerTensors tensors = tensors_of(row, settings);
      Tensor weight = kit::random_tensor(row.sizes, 1, {.low = -3, .high = 3})
                          .contiguous(at::MemoryFormat::ChannelsLast);
      weight.set_requires_grad(true);
      const Quantized result = train_quantize(
          weight, QuantizerStep(settings, tensors, {.training = true}), {.want_source = true});
      EXPECT_EQ(result.source.const_data_ptr(), weight.const_data_ptr()) << "no copy";
      const Tensor again = requantize_weight(result.source, result.form);
      EXPECT_THAT(again, kit::HasSameBits(result.value.detach())) << estimator << axis;
      EXPECT_EQ(again.strides(), result.value.strides());
    }
  }
  EXPECT_FALSE(has_weight_forms({.axis = 1, .weight = true}));
  EXPECT_FALSE(has_weight_forms({.axis = -1, .weight = false}));
}

TEST(TrainedQuantizer, ByteCodesNeedEightBitsAndOneScale) {
  EXPECT_FALSE(has_byte_codes({.qmin = 0, .qmax = 511}, 1));
  EXPECT_FALSE(has_byte_codes({.qmin = 0, .qmax = 255, .axis = 1}, 4));
  EXPECT_TRUE(has_byte_codes({.qmin = -128, .qmax = 127}, 1));
}

TEST(TrainedQuantizer, FrozenQuantizersLearnAndObserveNothing) {
  for (const std::string estimator : {"lsq", "pact", "moving_average_abs_max", "range_abs_max"}) {
    const GradientCase row{.estimator = estimator, .sizes = {4, 33}};
    const QuantizerSettings settings = settings_of(row);
    QuantizerTensors tensors = tensors_of(row, settings);
    const Tensor scale = tensors.scale.clone();
    const Tensor state = tensors.state.defined() ? tensors.state.clone() : Tensor();
    if (estimator == "lsq") tensors.scale.set_requires_grad(true);
    Tensor input = kit::random_tensor(row.sizes, 1).set_requires_grad(true);
    const QuantizerMode mode{.training = true, .frozen = true};
    train_quantize(input, QuantizerStep(settings, tensors, mode)).value.sum().backward();
    EXPECT_FALSE(tensors.scale.grad().defined());
    if (estimator != "pact") {
      EXPECT_THAT(tensors.scale.detach(), kit::HasSameBits(scale));
    }
    if (state.defined()) {
      EXPECT_THAT(tensors.state.detach(), kit::HasSameBits(state));
    }
    EXPECT_TRUE(input.grad().defined());
  }
}

TEST(TrainedQuantizer, ASingleChannelIsAWholeTensor) {
  for (const kit::Sizes& sizes : {kit::Sizes{32, 1}, kit::Sizes{37, 1}, kit::Sizes{16, 1, 3, 3}}) {
    std::vector<Tensor> gradients;
    for (const std::int64_t axis : {-1, 1}) {
      const GradientCase row{
          .estimator = "lsq", .sizes = sizes, .is_signed = true, .axis = axis, .weight = true};
      const QuantizerSettings settings = settings_of(row);
      const QuantizerTensors tensors = tensors_of(row, settings);
      const Tensor input =
          kit::random_tensor(sizes, 1, {.low = -3, .high = 3}).set_requires_grad(true);
      const QuantizerMode mode{.training = true, .frozen = true};
      train_quantize(input, QuantizerStep(settings, tensors, mode))
          .value.backward(kit::random_tensor(sizes, 2, {.normal = true}));
      gradients.push_back(input.grad());
    }
    EXPECT_THAT(gradients[1], kit::HasSameBits(gradients[0]));
    EXPECT_LT(at::count_nonzero(gradients[0]).item<std::int64_t>(), gradients[0].numel());
  }
}

TEST(TrainedQuantizer, BitsDoNotDependOnTheThreads) {
  const int before = at::get_num_threads();
  const GradientCase row{.estimator = "lsq", .sizes = {8, 64, 17, 13}, .is_signed = true};
  const QuantizerSettings settings = settings_of(row);
  const Tensor values = kit::random_tensor(row.sizes, 1, {.low = -3, .high = 3});
  std::vector<Tensor> seen;
  for (const int threads : {1, 2, 5}) {
    at::set_num_threads(threads);
    QuantizerTensors tensors = tensors_of(row, settings);
    tensors.scale.set_requires_grad(true);
    const Tensor output =
        train_quantize(values, QuantizerStep(settings, tensors, {.training = true})).value;
    output.backward(values);
    seen.push_back(tensors.scale.grad().clone());
  }
  at::set_num_threads(before);
  EXPECT_THAT(seen[1], kit::HasSameBits(seen[0]));
  EXPECT_THAT(seen[2], kit::HasSameBits(seen[0]));
}

TEST(TrainedQuantizer, RefusesScalesThatDoNotFit) {
  const QuantizerTensors tensors{
      .scale = kit::tensor_of({1, 1}), .zero_point = kit::tensor_of({0, 0}), .state = {}};
  EXPECT_THROW((void)train_quantize(at::zeros({2, 3}),
                                    QuantizerStep({.axis = 1}, tensors, {.training = true})),
               std::invalid_argument);
}

}  // namespace
}  // namespace espalier::exec
