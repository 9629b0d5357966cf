#include "espalier/train/log_line.h"

#include <gtest/gtest.h>

namespace espalier::train {
namespace {

TEST(LogLine, WritesTrainingAsPaddleUsersKnowIt) {
  const StepReport report{.epoch = 1,
                          .epochs = 10,
                          .iteration = 20,
                          .iterations = 469,
                          .step = 20,
                          .lr = 0.1,
                          .values = {},
                          .means = {{"top1", 0.5}, {"loss", 1.25}, {"cross_entropy", 1.0}},
                          .batch_cost = 0.0125,
                          .reader_cost = 0.0005,
                          .samples_per_second = 5120.126,
                          .eta = 3723.4};
  EXPECT_EQ(train_line(report),
            "[Train][Epoch 1/10][Iter: 20/469]lr: 0.10000000, loss: 1.25000, cross_entropy: "
            "1.00000, top1: 0.50000, batch_cost: 0.01250 s, reader_cost: 0.00050 s, ips: 5120.13 "
            "samples/s, eta: 1:02:03");
}

TEST(LogLine, WritesEpochsAndEvaluations) {
  const EpochReport report{
      .record = {.epoch = 3, .training = {{"loss", 0.5}}, .evaluation = {{"top1", 0.91}}},
      .epochs = 4,
      .best_metric = "top1",
      .best_value = 0.92,
      .best_epoch = 2};
  EXPECT_EQ(epoch_line(report), "[Train][Epoch 3/4][Avg]loss: 0.50000");
  EXPECT_EQ(evaluation_line(report),
            "[Eval][Epoch 3][Avg]top1: 0.91000, [best top1: 0.92000 of epoch 2]");
}

TEST(LogLine, RoundsDurations) {
  EXPECT_EQ(duration_text(0.4), "0:00:00");
  EXPECT_EQ(duration_text(59.6), "0:01:00");
  EXPECT_EQ(duration_text(-3), "0:00:00");
  EXPECT_EQ(duration_text(360000), "100:00:00");
}

}  // namespace
}  // namespace espalier::train
