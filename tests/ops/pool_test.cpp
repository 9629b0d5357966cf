#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Pool, MaximaPassValuesAndMeansDoNot) {
  EXPECT_TRUE(find("MaxPool")->passes_values);
  EXPECT_TRUE(find("GlobalMaxPool")->passes_values);
  EXPECT_FALSE(find("AveragePool")->passes_values);
  EXPECT_FALSE(find("GlobalAveragePool")->passes_values);
  for (const OpFacts& facts : pool_family()) EXPECT_EQ(facts.kind, OpKind::Pool) << facts.name;
}

}  // namespace
}  // namespace espalier::ops
