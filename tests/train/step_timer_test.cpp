#include "espalier/train/step_timer.h"

#include <gtest/gtest.h>

namespace espalier::train {
namespace {

TEST(StepTimer, LeavesTheFirstFiveStepsOutOnceThereAreOthers) {
  StepTimer timer;
  EXPECT_EQ(timer.batch_cost(), 0.0);
  EXPECT_EQ(timer.samples_per_second(), 0.0);
  for (int step = 0; step < 5; ++step) timer.add(10.0, 5.0, 8);
  EXPECT_DOUBLE_EQ(timer.batch_cost(), 10.0);
  timer.add(2.0, 0.5, 8);
  timer.add(4.0, 0.7, 4);
  EXPECT_DOUBLE_EQ(timer.batch_cost(), 3.0);
  EXPECT_DOUBLE_EQ(timer.reader_cost(), 0.6);
  EXPECT_DOUBLE_EQ(timer.samples_per_second(), 2.0);
  timer.start_epoch();
  EXPECT_EQ(timer.batch_cost(), 0.0);
}

}  // namespace
}  // namespace espalier::train
