#include "espalier/prune/plan_composition.h"

#include <gtest/gtest.h>

namespace espalier::prune {
namespace {

GroupCut cut_of(const std::string& weight, std::int64_t axis,
                const std::vector<std::int64_t>& removed) {
  return {.group = weight, .initializer = weight, .axis = axis, .removed = removed};
}

TEST(PlanComposition, GivesPositionsOfTheFirstGraph) {
  const PrunePlan first{
      .model_id = "id", .criterion = "l1", .cuts = {cut_of("a", 0, {1, 3}), cut_of("b", 1, {0})}};
  const CutMap cuts{
      {"a", {{.axis = 1, .size = 2, .kept = {1}}, {.axis = 0, .size = 6, .kept = {0, 2, 4, 5}}}},
      {"b", {{.axis = 1, .size = 3, .kept = {1, 2}}}}};
  const PrunePlan second{
      .model_id = "other",
      .criterion = "fpgm",
      .cuts = {cut_of("a", 0, {1, 3}), cut_of("c", 0, {2}), cut_of("b", 0, {5})}};
  const PrunePlan both = compose_plans(first, cuts, second);
  EXPECT_EQ(both.model_id, "id");
  EXPECT_EQ(both.criterion, "fpgm");
  const std::vector<GroupCut> expected{cut_of("a", 0, {1, 2, 3, 5}), cut_of("b", 1, {0}),
                                       cut_of("c", 0, {2}), cut_of("b", 0, {5})};
  EXPECT_EQ(both.cuts, expected);
}

TEST(PlanComposition, CutsAreJoinedByPositions) {
  const CutMap first{{"a", {{.axis = 0, .size = 6, .kept = {0, 2, 4, 5}}}},
                     {"b", {{.axis = 1, .size = 3, .kept = {1, 2}}}}};
  const CutMap second{
      {"a", {{.axis = 0, .size = 4, .kept = {1, 3}}, {.axis = 1, .size = 2, .kept = {1}}}},
      {"c", {{.axis = 0, .size = 2, .kept = {0}}}}};
  const CutMap expected{
      {"a", {{.axis = 0, .size = 6, .kept = {2, 5}}, {.axis = 1, .size = 2, .kept = {1}}}},
      {"b", {{.axis = 1, .size = 3, .kept = {1, 2}}}},
      {"c", {{.axis = 0, .size = 2, .kept = {0}}}}};
  EXPECT_EQ(compose_cuts(first, second), expected);
}

}  // namespace
}  // namespace espalier::prune
