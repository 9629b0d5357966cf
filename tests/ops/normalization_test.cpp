#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Normalization, ParametersAreTrainedAndStatisticsAreNot) {
  const OpFacts& batch = *find("BatchNormalization");
  EXPECT_EQ(batch.trainable, port(1) | port(2));
  EXPECT_EQ(batch.running_statistics, port(3) | port(4));
  for (const OpFacts& facts : normalization_family()) {
    EXPECT_EQ(facts.kind, OpKind::Normalization) << facts.name;
    EXPECT_EQ(facts.data, port(0)) << facts.name;
  }
}

}  // namespace
}  // namespace espalier::ops
