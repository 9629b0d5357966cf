#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Quantize, FakeQuantizeIsOursAndTheOthersAreNot) {
  for (const OpFacts& facts : quantize_family()) {
    EXPECT_EQ(facts.kind, OpKind::Quantize) << facts.name;
    EXPECT_EQ(facts.domain == ir::kEspalierDomain, facts.name == "FakeQuantize") << facts.name;
  }
  EXPECT_EQ(find("QLinearConv")->weight, 3);
  EXPECT_EQ(find("QLinearConv")->bias, 8);
}

}  // namespace
}  // namespace espalier::ops
