#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Control, EveryRowIsOpaque) {
  for (const OpFacts& facts : control_family()) {
    EXPECT_EQ(facts.kind, OpKind::Opaque) << facts.name;
    ASSERT_NE(find(facts.name), nullptr) << facts.name;
    EXPECT_EQ(find(facts.name)->kind, OpKind::Opaque) << facts.name;
  }
}

}  // namespace
}  // namespace espalier::ops
