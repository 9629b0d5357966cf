#include "espalier/exec/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace espalier::exec {
namespace {

Step step_of(const std::vector<std::size_t>& inputs, const std::vector<int>& outputs) {
  Step step;
  for (const std::size_t slot : inputs) step.inputs.push_back({Source::Kind::Slot, slot});
  step.outputs = outputs;
  return step;
}

/// 0 -> 1 -> 2 -> 4, with 3 computed from 1 beside it; the last step reads slot 2 twice.
std::vector<Step> chain() {
  return {step_of({0}, {1}), step_of({1}, {2}), step_of({1}, {3}), step_of({2, 2}, {4})};
}

TEST(ScheduleTest, RunsOnlyWhatIsNeededAndFreesAfterTheLastUse) {
  const auto steps = chain();
  const Schedule schedule = make_schedule(steps, 5, {.given = {0}, .wanted = {4}, .kept = {4}});
  EXPECT_THAT(schedule.steps, testing::ElementsAre(0, 1, 3));
  EXPECT_THAT(schedule.last_use[0], testing::ElementsAre(true));
  EXPECT_THAT(schedule.last_use[1], testing::ElementsAre(true));
  EXPECT_THAT(schedule.last_use[2], testing::ElementsAre(false, true));
}

TEST(ScheduleTest, StartsFromGivenSlotsAndKeepsWantedOnes) {
  const auto steps = chain();
  const Schedule suffix = make_schedule(steps, 5, {.given = {2}, .wanted = {4}, .kept = {4}});
  EXPECT_THAT(suffix.steps, testing::ElementsAre(3));
  const Schedule kept = make_schedule(steps, 5, {.given = {0}, .wanted = {1, 4}, .kept = {1, 4}});
  EXPECT_THAT(kept.last_use[1], testing::ElementsAre(false));
}

TEST(ScheduleTest, DropsOutputsThatNobodyReads) {
  const auto steps = chain();
  const Schedule schedule = make_schedule(steps, 5, {.given = {0}, .wanted = {3, 4}, .kept = {4}});
  EXPECT_THAT(schedule.steps, testing::ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(schedule.unused[2], testing::ElementsAre(3));
}

}  // namespace
}  // namespace espalier::exec
