#include "espalier/exec/kernels/estimate.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "espalier/exec/kernels/quantizer_step.h"
#include "espalier/tensor/quantize.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

QuantizerSettings settings_for(const std::string& name, float qmin, float qmax) {
  const auto rows = estimator_rows();
  return {.qmin = qmin,
          .qmax = qmax,
          .estimator = &*std::ranges::find(rows, name, &EstimatorRow::name)};
}

/// Shows batches of these extremes to the estimator; its scale after each.
std::vector<double> scales_after(const QuantizerSettings& settings, QuantizerTensors& tensors,
                                 const std::vector<simd::Extremes>& batches) {
  std::vector<double> scales;
  for (const simd::Extremes& batch : batches) {
    QuantizerStep step(settings, tensors, {.training = true});
    step.observe({&batch, 1});
    scales.push_back(tensors.scale.item<double>());
  }
  return scales;
}

TEST(Estimate, TheTableIsThatOfTheOperator) {
  const auto rows = estimator_rows();
  ASSERT_EQ(rows.size(), ops::estimators().size());
  for (std::size_t index = 0; index < rows.size(); ++index) {
    EXPECT_EQ(rows[index].name, ops::estimators()[index].name);
    EXPECT_EQ(rows[index].differentiate != nullptr,
              ops::estimators()[index].learned != ops::kNoPorts);
  }
}

TEST(Estimate, MovingAverageStartsWithWhatItSaw) {
  const QuantizerSettings settings = settings_for("moving_average_abs_max", -127, 127);
  QuantizerTensors tensors{
      .scale = at::ones({1}), .zero_point = at::zeros({1}), .state = at::zeros({2})};
  EXPECT_TRUE(QuantizerStep(settings, tensors, {.training = true}).looks_first());
  const auto scales = scales_after(settings, tensors, {{-2, 1}, {0, 4}, {-1, 1}});
  EXPECT_FALSE(QuantizerStep(settings, tensors, {.training = true}).looks_first());
  EXPECT_NEAR(scales[0], 2.0 / 127, 1e-8);
  EXPECT_NEAR(scales[1], (0.9 * 2 + 4) / 1.9 / 127, 1e-8);
  EXPECT_NEAR(scales[2], (0.81 * 2 + 0.9 * 4 + 1) / 2.71 / 127, 1e-8);
}

TEST(Estimate, MovingMinMaxGivesWhatARangeGives) {
  QuantizerSettings settings = settings_for("moving_average_min_max", 0, 255);
  QuantizerTensors tensors{
      .scale = at::ones({1}), .zero_point = at::zeros({1}), .state = at::zeros({3})};
  (void)scales_after(settings, tensors, {{-1, 3}, {-2, 5}});
  const double low = -(0.9 + 2) / 1.9;
  const double high = (0.9 * 3 + 5) / 1.9;
  const auto expected = tensor::scale_for_range(low, high, {}, /*symmetric=*/false);
  EXPECT_NEAR(tensors.scale.item<double>(), double{expected.scale}, 1e-8);
  EXPECT_EQ(tensors.zero_point.item<float>(), static_cast<float>(expected.zero_point));
  settings.symmetric = true;
  tensors.zero_point.fill_(128);
  (void)scales_after(settings, tensors, {{-1, 3}});
  EXPECT_EQ(tensors.zero_point.item<float>(), 128);
}

TEST(Estimate, RangeForgetsBatchesThatLeaveTheWindow) {
  const QuantizerSettings settings = settings_for("range_abs_max", -127, 127);
  QuantizerTensors tensors{
      .scale = at::ones({1}), .zero_point = at::zeros({1}), .state = at::zeros({2 + 3})};
  const auto scales =
      scales_after(settings, tensors, {{-9, 1}, {0, 4}, {-5, 1}, {0, 2}, {0, 1}, {0, 1}, {0, 3}});
  const std::vector<double> largest{9, 9, 9, 5, 5, 2, 3};
  for (std::size_t index = 0; index < largest.size(); ++index) {
    EXPECT_NEAR(scales[index], largest[index] / 127, 1e-7) << index;
  }
}

TEST(Estimate, ObservationsThatAreNotFiniteDoNotCount) {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<std::pair<std::string, std::int64_t>> rows{
      {"moving_average_abs_max", 2}, {"moving_average_min_max", 3}, {"range_abs_max", 6}};
  for (const auto& [name, length] : rows) {
    QuantizerTensors tensors{
        .scale = at::ones({1}), .zero_point = at::zeros({1}), .state = at::zeros({length})};
    const QuantizerSettings settings = settings_for(name, -127, 127);
    (void)scales_after(settings, tensors, {{-2, 1}});
    const Tensor scale = tensors.scale.clone();
    const Tensor state = tensors.state.clone();
    (void)scales_after(settings, tensors, {{-1, infinity}, {-infinity, 0}});
    EXPECT_THAT(tensors.scale, kit::HasSameBits(scale)) << name;
    EXPECT_THAT(tensors.state, kit::HasSameBits(state)) << name;
  }
}

TEST(Estimate, OneSidedCodesIgnoreNegativeValues) {
  const QuantizerSettings settings = settings_for("moving_average_abs_max", 0, 255);
  EXPECT_EQ(magnitude_of(settings, {-7, 3}, 0), 3);
  EXPECT_EQ(magnitude_of(settings, {-7, 3}, 128), 7);
  EXPECT_EQ(magnitude_of(settings, {}, 128), 0) << "no elements";
  EXPECT_EQ(scale_of(0, 127), 1);
  EXPECT_EQ(scale_of(1e-38F, 127), 1) << "subnormal scale";
  EXPECT_EQ(scale_of(std::numeric_limits<float>::infinity(), 127), 1);
}

TEST(Estimate, LearnedTensorsDeriveTheOthers) {
  QuantizerTensors clip{
      .scale = at::zeros({1}), .zero_point = at::zeros({1}), .state = kit::tensor_of({5.1F})};
  const auto form =
      QuantizerStep(settings_for("pact", 0, 255), clip, {.training = true}).forms().front();
  EXPECT_NEAR(double{form.scale}, 5.1 / 255, 1e-8);
  EXPECT_EQ(clip.scale.item<float>(), form.scale) << "the stored scale follows";
  QuantizerTensors offset{.scale = kit::tensor_of({0.5F}),
                          .zero_point = at::zeros({1}),
                          .state = kit::tensor_of({-10.3F})};
  (void)QuantizerStep(settings_for("lsq_plus", 0, 255), offset, {.training = true}).forms();
  EXPECT_EQ(offset.zero_point.item<float>(), 21);
  QuantizerTensors negative{
      .scale = kit::tensor_of({-1}), .zero_point = at::zeros({1}), .state = {}};
  EXPECT_GT(QuantizerStep(settings_for("lsq", 0, 255), negative, {}).forms().front().scale, 0);
}

TEST(Estimate, AbsMaxOfActivationsKeepsTheStoredScale) {
  const QuantizerTensors tensors{
      .scale = kit::tensor_of({0.5F}), .zero_point = at::zeros({1}), .state = {}};
  const QuantizerSettings settings = settings_for("abs_max", -127, 127);
  QuantizerStep training(settings, tensors, {.training = true});
  ASSERT_TRUE(training.looks_first());
  const simd::Extremes extremes{-254, 1};
  training.observe({&extremes, 1});
  EXPECT_EQ(training.forms().front().scale, 2);
  QuantizerStep evaluation(settings, tensors, {.training = false});
  EXPECT_FALSE(evaluation.looks_first());
  EXPECT_EQ(evaluation.forms().front().scale, 0.5F);
}

/// FakeQuantize with these attributes over initializers.
struct NodeCase {
  ir::Attributes attributes;
  bool state = false;
  std::string message;
};

TEST(Estimate, RefusesQuantizersThatMakeNoSense) {
  const std::vector<NodeCase> rows{
      {{{"qmin", std::int64_t{5}}, {"qmax", std::int64_t{5}}}, false, "got codes 5..5"},
      {{{"estimator", std::string("lsqq")}}, false, "unknown estimator"},
      {{{"estimator", std::string("pact")}, {"role", std::string("weight")}},
       true,
       "the estimator 'pact' for weights"},
      {{{"estimator", std::string("pact")}}, false, "got no state, expected [1]: clip value"},
      {{{"estimator", std::string("lsq")}}, true, "got a state, expected none"},
      {{{"estimator", std::string("pact")}, {"axis", std::int64_t{1}}},
       true,
       "an axis with the estimator"},
      {{{"role", std::string("bias")}}, false, "role 'bias'"},
      {{{"rate", 1.5F}}, false, "rate 1.5"},
  };
  for (const NodeCase& row : rows) {
    ir::Graph graph;
    ir::Value& x = graph.add_input("x", {tensor::DType::Float32, std::nullopt});
    std::vector<ir::Value*> inputs{&x, &graph.add_initializer("s", at::ones({1})),
                                   &graph.add_initializer("z", at::zeros({1}))};
    if (row.state) inputs.push_back(&graph.add_initializer("state", at::zeros({1})));
    const ir::Node& node = graph.add_node({.op = "FakeQuantize",
                                           .inputs = inputs,
                                           .outputs = {"y"},
                                           .attributes = row.attributes,
                                           .name = "fq",
                                           .domain = std::string(ir::kEspalierDomain)});
    const std::string text =
        kit::expect_user_error([&] { (void)quantizer_settings(node); }, row.message);
    EXPECT_THAT(text, testing::HasSubstr("node 'fq'"));
  }
}

}  // namespace
}  // namespace espalier::exec
