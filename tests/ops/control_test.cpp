#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Control, EveryRowIsOpaque) {
  for (const OpFacts& facts : control_family()) {
    EXPECT_EQ(facts.kind, OpKind::Opaque) << facts.name;
    EXPECT_EQ(find(facts.name), &facts) << facts.name;
  }
}

}  // namespace
}  // namespace espalier::ops
