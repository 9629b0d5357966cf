#include <gtest/gtest.h>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

TEST(Movement, EveryMoverPassesValuesButTheOneThatAdds) {
  for (const OpFacts& facts : movement_family()) {
    if (facts.kind != OpKind::DataMovement) continue;
    EXPECT_EQ(facts.passes_values, facts.name != "Col2Im") << facts.name;
  }
}

TEST(Movement, ConcatReadsAllInputsAndGatherOnlyItsData) {
  EXPECT_EQ(find("Concat")->data, kAllPorts);
  EXPECT_EQ(find("Gather")->data, port(0));
  EXPECT_EQ(find("Resize")->passes_when.value, "nearest");
  EXPECT_EQ(find("Pad")->fill, 2);
}

}  // namespace
}  // namespace espalier::ops
