#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Linear, WeightsAndBiasesAreTrainable) {
  for (const OpFacts& facts : linear_family()) {
    if (facts.weight == kNoPort) continue;
    EXPECT_TRUE(contains(facts.trainable, static_cast<std::size_t>(facts.weight))) << facts.name;
    if (facts.bias == kNoPort) continue;
    EXPECT_TRUE(contains(facts.trainable, static_cast<std::size_t>(facts.bias))) << facts.name;
    EXPECT_FALSE(contains(facts.data, static_cast<std::size_t>(facts.bias))) << facts.name;
  }
}

TEST(Linear, KindsAndAxes) {
  EXPECT_EQ(find("Conv")->weight_axis, WeightAxis::First);
  EXPECT_EQ(find("ConvTranspose")->weight_axis, WeightAxis::Second);
  EXPECT_EQ(find("Gemm")->weight_axis, WeightAxis::ByTransposeB);
  EXPECT_EQ(find("MatMul")->weight_axis, WeightAxis::Last);
  EXPECT_EQ(find("Conv")->kind, OpKind::Convolution);
  EXPECT_EQ(find("Gemm")->kind, OpKind::Gemm);
}

}  // namespace
}  // namespace espalier::ops
