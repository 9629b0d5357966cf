#include "espalier/analysis/reach.h"

#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "tests/analysis/diamond.h"

namespace espalier::analysis {
namespace {

std::vector<std::string> names(const NodeSet& nodes) {
  std::vector<std::string> list;
  for (const ir::Node* node : nodes) list.push_back(node->name());
  std::ranges::sort(list);
  return list;
}

using Names = std::vector<std::string>;

TEST(Reach, FindsWhatAValueNeeds) {
  const ir::Graph graph = analysis_test::diamond();
  const std::array<const ir::Value*, 1> left{graph.find_value("left")};
  EXPECT_EQ(names(upstream(left)), (Names{"left", "stem"}));
  const std::array<const ir::Value*, 1> input{graph.find_value("x")};
  EXPECT_TRUE(upstream(input).empty());
}

TEST(Reach, FindsWhatDependsOnAValue) {
  const ir::Graph graph = analysis_test::diamond();
  const std::array<const ir::Value*, 1> left{graph.find_value("left")};
  EXPECT_EQ(names(downstream(left)), (Names{"join"}));
  const std::array<const ir::Value*, 1> constant{graph.find_value("w")};
  EXPECT_EQ(names(downstream(constant)), (Names{"join", "right"}));
}

TEST(Reach, FindsWhatLiesBetween) {
  const ir::Graph graph = analysis_test::diamond();
  const std::array<const ir::Value*, 1> from{graph.find_value("stem")};
  const std::array<const ir::Value*, 1> to{graph.find_value("right")};
  EXPECT_EQ(names(between(from, to)), (Names{"right"}));
}

}  // namespace
}  // namespace espalier::analysis
