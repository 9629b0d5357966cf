#include "espalier/ops/index_rule.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/ops/one_node.h"

namespace espalier::ops {
namespace {

TEST(IndexRule, EveryKnownOperatorHasOneRowAndNoOtherHas) {
  const auto facts = all();
  const auto rules = index_rules();
  for (const OpFacts& fact : facts) {
    EXPECT_NE(find_index_rule(fact.name, fact.domain), nullptr) << fact.name;
  }
  for (const IndexRuleRow& row : rules) {
    EXPECT_NE(find(row.name, row.domain), nullptr) << row.name;
  }
  EXPECT_EQ(facts.size(), rules.size());
}

TEST(IndexRule, VetoesSayWhy) {
  for (const IndexRuleRow& row : index_rules()) {
    if (row.rule != IndexRule::Veto) continue;
    EXPECT_FALSE(row.reason.empty()) << row.name;
  }
}

TEST(IndexRule, IsFoundByOperatorAndDomain) {
  EXPECT_EQ(find_index_rule("Conv")->rule, IndexRule::Convolution);
  EXPECT_EQ(find_index_rule("ReduceMean")->rule, IndexRule::ReduceFixed);
  EXPECT_EQ(find_index_rule("FakeQuantize", ir::kEspalierDomain)->rule, IndexRule::PerAxis);
  EXPECT_EQ(find_index_rule("FakeQuantize"), nullptr);
  EXPECT_EQ(find_index_rule("Nobody"), nullptr);
}

TEST(IndexRule, OpaqueOperatorsAreVetoes) {
  for (const OpFacts& fact : all()) {
    if (fact.kind != OpKind::Opaque) continue;
    EXPECT_EQ(find_index_rule(fact.name, fact.domain)->rule, IndexRule::Veto) << fact.name;
  }
}

}  // namespace
}  // namespace espalier::ops
