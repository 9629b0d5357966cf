#include "espalier/passes/correct_folded_weights.h"

#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/training_flow.h"

namespace espalier::passes {
namespace {

TEST(CorrectFoldedWeights, QuantizesTheFoldedWeight) {
  const auto made = passes_test::training_case({.batch_norm = BatchNormForm::Folded});
  const std::string text = kit::to_text(made.training);
  EXPECT_THAT(text, testing::HasSubstr("conv2_factor = Div(g2, conv2_deviation)"));
  EXPECT_THAT(text, testing::HasSubstr("conv2_folded_weight = Mul(w2, conv2_weight_factor)"));
  EXPECT_THAT(text, testing::HasSubstr("= FakeQuantize(conv2_folded_weight, w2_scale, "));
  EXPECT_THAT(text, testing::HasSubstr("conv2_restored = Div(d_unfolded, conv2_output_factor)"));
  EXPECT_THAT(text, testing::HasSubstr("d = BatchNormalization(conv2_restored, g2, b2,"));
}

TEST(CorrectFoldedWeights, ComputesWhatTheFloatLayerDoesApartFromRounding) {
  auto made = passes_test::training_case({.weights = {.estimator = "abs_max", .per_channel = true},
                                          .batch_norm = BatchNormForm::Folded});
  const Tensor simulated = passes_test::evaluate(made.training);
  const Tensor original = passes_test::infer(made.model);
  const double size = original.abs().max().item<double>();
  EXPECT_THAT(simulated,
              kit::IsCloseTo(original, kit::Tolerance{.absolute = 0.25 * size, .relative = 0}));
}

TEST(CorrectFoldedWeights, RefusesAGammaOfZero) {
  auto made = passes_test::training_case({});
  made.training.set_constant(*made.training.find_value("g2"), at::zeros({4}));
  kit::expect_user_error([&] { passes_test::apply(correct_folded_weights(), made.training); },
                         "cannot train with folded BatchNormalization");
}

}  // namespace
}  // namespace espalier::passes
