#include "espalier/quant/quantizer_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/ops/estimator.h"
#include "tests/kit/expect_error.h"

namespace espalier::quant {
namespace {

TEST(QuantizerName, EveryRowHasAnEstimatorThatServesItsRole) {
  for (const QuantizerName& row : quantizer_names()) {
    const ops::Estimator* estimator = ops::find_estimator(row.estimator);
    ASSERT_NE(estimator, nullptr) << row.name;
    const bool weight = row.role == QuantizerRole::Weight;
    EXPECT_TRUE(weight ? estimator->for_weights : estimator->for_activations) << row.name;
    EXPECT_TRUE(!row.per_channel || estimator->per_channel) << row.name;
    EXPECT_EQ(&find_quantizer(row.name, row.role), &row);
  }
}

TEST(QuantizerName, PaddlesNamesChooseEstimators) {
  EXPECT_TRUE(find_quantizer("channel_wise_abs_max", QuantizerRole::Weight).per_channel);
  EXPECT_FALSE(find_quantizer("abs_max", QuantizerRole::Weight).per_channel);
  EXPECT_EQ(find_quantizer("lsq_act", QuantizerRole::Activation).estimator, "lsq");
}

TEST(QuantizerName, RefusesUnknownNamesAndTheOtherRole) {
  kit::expect_user_error([] { (void)find_quantizer("pakt", QuantizerRole::Activation); },
                         "unknown quantizer of activations: got 'pakt'");
  kit::expect_user_error([] { (void)find_quantizer("pact", QuantizerRole::Weight); },
                         "it is a quantizer of activations");
}

}  // namespace
}  // namespace espalier::quant
