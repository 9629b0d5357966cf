#include "espalier/ops/facts.h"

#include <set>
#include <string>

#include <gmock/gmock.h>

#include "tests/kit/tensors.h"
#include "tests/ops/one_node.h"

namespace espalier::ops {
namespace {

TEST(Facts, NamesAreUniqueAndSorted) {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const OpFacts& facts : all()) {
    EXPECT_TRUE(seen.emplace(facts.domain, facts.name).second) << facts.name;
    EXPECT_EQ(find(facts.name, facts.domain), &facts) << facts.name;
  }
}

TEST(Facts, CoverMoreThanNinetyOperators) {
  std::size_t understood = 0;
  for (const OpFacts& facts : all()) understood += facts.kind != OpKind::Opaque ? 1 : 0;
  EXPECT_GE(understood, 90U);
}

TEST(Facts, AreConsistent) {
  for (const OpFacts& facts : all()) {
    const bool has_weight = facts.weight != kNoPort;
    EXPECT_EQ(has_weight, facts.weight_axis != WeightAxis::None) << facts.name;
    // The weight of an Einsum may be any of its operands, or none.
    const bool any_weight = facts.cost == CostRule::Einsum;
    EXPECT_EQ(has_weight || any_weight, facts.cost != CostRule::None) << facts.name;
    EXPECT_TRUE(has_weight || facts.bias == kNoPort) << facts.name;
    EXPECT_LE(facts.low, facts.high) << facts.name;
    EXPECT_EQ(facts.trainable & facts.running_statistics, kNoPorts) << facts.name;
    EXPECT_TRUE(facts.passes_values || (facts.passes_when.name.empty() && facts.fill == kNoPort))
        << facts.name;
  }
}

TEST(Facts, EveryKindHasAName) {
  std::set<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(OpKind::Opaque); ++kind) {
    names.insert(to_string(static_cast<OpKind>(kind)));
  }
  EXPECT_EQ(names.size(), 15U);
  EXPECT_EQ(to_string(OpKind::Opaque), "Opaque");
  EXPECT_EQ(to_string(OpKind::Gemm), "Gemm");
}

TEST(Facts, FindTellsDomainsApart) {
  EXPECT_NE(find("FakeQuantize", "espalier"), nullptr);
  EXPECT_EQ(find("FakeQuantize"), nullptr);
  EXPECT_EQ(find("Conv", "com.example"), nullptr);
  const OneNode unknown("Frobnicate", {std::nullopt});
  EXPECT_EQ(find(unknown.node()), nullptr);
  EXPECT_EQ(kind_of(unknown.node()), OpKind::Opaque);
}

TEST(Facts, ControlFlowIsOpaque) {
  const OneNode loop("Loop", {std::nullopt});
  EXPECT_EQ(find(loop.node()), nullptr);
  EXPECT_EQ(find("Loop")->kind, OpKind::Opaque);
}

TEST(Facts, PortSets) {
  EXPECT_TRUE(contains(port(0) | port(2), 2));
  EXPECT_FALSE(contains(port(0) | port(2), 1));
  EXPECT_TRUE(contains(kAllPorts, 1000));
  EXPECT_FALSE(contains(port(31), 32));
}

TEST(Facts, ActivationInputsAreDataPortsWithoutConstants) {
  const OneNode conv("Conv", {std::nullopt, kit::tensor_of({1}, {1, 1, 1})});
  EXPECT_TRUE(is_activation_input(conv.node(), 0));
  EXPECT_FALSE(is_activation_input(conv.node(), 1));
  const OneNode product("MatMul", {std::nullopt, std::nullopt});
  EXPECT_TRUE(is_activation_input(product.node(), 1));
  const OneNode layer("MatMul", {std::nullopt, kit::tensor_of({1}, {1, 1})});
  EXPECT_FALSE(is_activation_input(layer.node(), 1));
  EXPECT_FALSE(is_activation_input(layer.node(), 7));
}

TEST(Facts, PassesValuesDependsOnTheNode) {
  EXPECT_TRUE(passes_values(OneNode("Reshape", {std::nullopt, std::nullopt}).node()));
  EXPECT_FALSE(passes_values(OneNode("Sigmoid", {std::nullopt}).node()));
  EXPECT_TRUE(passes_values(OneNode("Resize", {std::nullopt}).node()));
  EXPECT_FALSE(
      passes_values(OneNode("Resize", {std::nullopt}, {{"mode", std::string("linear")}}).node()));
  EXPECT_TRUE(passes_values(OneNode("Pad", {std::nullopt, std::nullopt}).node()));
  EXPECT_TRUE(
      passes_values(OneNode("Pad", {std::nullopt, std::nullopt, kit::tensor_of({0})}).node()));
  EXPECT_FALSE(
      passes_values(OneNode("Pad", {std::nullopt, std::nullopt, kit::tensor_of({3})}).node()));
  EXPECT_FALSE(passes_values(OneNode("Frobnicate", {std::nullopt}).node()));
}

TEST(Facts, OutputRangeKnowsClip) {
  EXPECT_EQ(output_range(OneNode("Sigmoid", {std::nullopt}).node()), (OutputRange{0, 1}));
  const OneNode clip("Clip", {std::nullopt, kit::tensor_of({0}, {}), kit::tensor_of({6}, {})});
  EXPECT_EQ(output_range(clip.node()), (OutputRange{0, 6}));
  const OneNode open("Clip", {std::nullopt, kit::tensor_of({-2}, {})});
  EXPECT_EQ(output_range(open.node()), (OutputRange{-2, kUnbounded}));
  EXPECT_EQ(output_range(OneNode("Frobnicate", {std::nullopt}).node()), OutputRange{});
}

}  // namespace
}  // namespace espalier::ops
