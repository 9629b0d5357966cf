#include "espalier/passes/correct_folded_weights.h"

#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/passes/pipelines.h"
#include "espalier/passes/remove_fake_quantize.h"
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

/// The training graph without its quantizers: what is left must be the float model.
ir::Graph without_quantizers(const ir::Graph& training) {
  ir::Graph graph = training.clone();
  EXPECT_GT(passes_test::apply(remove_fake_quantize(), graph), 0U);
  return graph;
}

TEST(CorrectFoldedWeights, IsTheFloatModelWithoutItsQuantizers) {
  const auto made = passes_test::training_case({.batch_norm = BatchNormForm::Folded});
  const Tensor plain = passes_test::evaluate(without_quantizers(made.training));
  EXPECT_THAT(plain, kit::IsCloseTo(passes_test::infer(made.model),
                                    kit::Tolerance{.absolute = 1e-9, .relative = 1e-9}));
  // So that the case above would see a quantizer.
  EXPECT_THAT(passes_test::evaluate(made.training),
              testing::Not(kit::IsCloseTo(plain, kit::Tolerance{.absolute = 1e-6})));
}

TEST(CorrectFoldedWeights, TrainsAsTheFloatModelDoesWithoutItsQuantizers) {
  const auto made = passes_test::training_case({.batch_norm = BatchNormForm::Folded});
  ir::Graph folded = without_quantizers(made.training);
  ir::Graph original = made.model.clone();
  passes::run(original, passes::prepare_for_training());
  passes_test::train_a_little(folded);
  passes_test::train_a_little(original);
  for (const std::string name : {"w1", "w2", "w3", "w4", "g1", "b2", "variance1", "variance3"}) {
    EXPECT_THAT(folded.find_value(name)->constant(),
                kit::IsCloseTo(original.find_value(name)->constant(),
                               kit::Tolerance{.absolute = 1e-6, .relative = 1e-6}))
        << name;
  }
  EXPECT_NE(kit::bit_difference(original.find_value("w1")->constant(),
                                made.model.find_value("w1")->constant()),
            "");
}

TEST(CorrectFoldedWeights, RefusesAGammaOfZero) {
  auto made = passes_test::training_case({});
  made.training.set_constant(*made.training.find_value("g2"), at::zeros({4}));
  kit::expect_user_error([&] { passes_test::apply(correct_folded_weights(), made.training); },
                         "cannot train with folded BatchNormalization");
}

}  // namespace
}  // namespace espalier::passes
