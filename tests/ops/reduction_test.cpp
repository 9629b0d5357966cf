#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Reduction, ExtremaPassValuesAndSumsDoNot) {
  EXPECT_TRUE(find("ReduceMax")->passes_values);
  EXPECT_TRUE(find("ReduceMin")->passes_values);
  EXPECT_FALSE(find("ReduceMean")->passes_values);
  EXPECT_FALSE(find("ArgMax")->passes_values);
  for (const OpFacts& facts : reduction_family()) {
    EXPECT_EQ(facts.kind, OpKind::Reduction) << facts.name;
  }
}

}  // namespace
}  // namespace espalier::ops
