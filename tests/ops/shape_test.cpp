#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Shape, NothingIsAnActivation) {
  for (const OpFacts& facts : shape_family()) {
    EXPECT_EQ(facts.kind, OpKind::Shape) << facts.name;
    EXPECT_EQ(facts.data, kNoPorts) << facts.name;
  }
}

}  // namespace
}  // namespace espalier::ops
