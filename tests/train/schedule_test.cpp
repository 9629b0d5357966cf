#include "espalier/train/schedule.h"

#include <cmath>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::train {
namespace {

constexpr std::int64_t kSteps = 10;
constexpr std::int64_t kEpochs = 4;

/// Rates worked out by hand at three steps of a run of 4 epochs of 10 steps.
struct Case {
  std::string name;
  ScheduleOptions options;
  std::vector<std::pair<std::int64_t, double>> rates;
  std::string description;
};

class Schedules : public ::testing::TestWithParam<Case> {};

TEST_P(Schedules, GiveTheRatesOfTheirFormula) {
  const Schedule schedule(GetParam().options, kSteps, kEpochs);
  for (const auto& [step, rate] : GetParam().rates) {
    EXPECT_NEAR(schedule.at(step), rate, 1e-12) << "step " << step;
  }
  EXPECT_EQ(schedule.describe(), GetParam().description);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, Schedules,
    ::testing::Values(
        Case{"Constant",
             {.shape = ConstantSchedule{.lr = 0.3}},
             {{0, 0.3}, {39, 0.3}, {100, 0.3}},
             "constant lr 0.3"},
        Case{"Cosine",
             {.shape = CosineSchedule{.lr = 1, .end_lr = 0.2}},
             {{0, 1}, {20, 0.6}, {10, 0.2 + 0.4 * (1 + std::sqrt(0.5))}, {-3, 1}},
             "cosine lr 1 to 0.2"},
        Case{"CosineAfterWarmUp",
             {.shape = CosineSchedule{.lr = 1}, .warm_up = {.epochs = 1, .start_lr = 0.1}},
             {{0, 0.1}, {5, 0.55}, {10, 1}, {25, 0.5}},
             "cosine lr 1 to 0, warm-up of 10 steps from 0.1"},
        Case{"Piecewise",
             {.shape = PiecewiseSchedule{.boundaries = {1, 2.5}, .values = {1, 0.1, 0.01}}},
             {{9, 1}, {10, 0.1}, {24, 0.1}, {25, 0.01}},
             "piecewise lr 1, 0.1, 0.01 at epochs 1, 2.5"},
        Case{"Polynomial",
             {.shape = PolynomialSchedule{.lr = 1, .end_lr = 0.5, .power = 2}},
             {{0, 1}, {20, 0.625}, {39, 0.5 + 0.5 / 1600}},
             "polynomial lr 1 to 0.5, power 2"},
        Case{"Step",
             {.shape = StepSchedule{.lr = 1, .every_epochs = 1.5, .gamma = 0.5},
              .warm_up = {.steps = 5}},
             {{0, 0}, {4, 0.8}, {5, 1}, {19, 1}, {20, 0.5}, {35, 0.25}},
             "step lr 1, times 0.5 every 1.5 epochs, warm-up of 5 steps from 0"}),
    [](const auto& one) { return one.param.name; });

TEST(Schedule, RefusesNumbersOutOfRange) {
  const auto refuse = [](const ScheduleOptions& options, std::string_view text) {
    kit::expect_user_error([&] { Schedule(options, kSteps, kEpochs); }, text);
  };
  refuse({.shape = ConstantSchedule{.lr = -1}}, "learning rate schedule, lr: got -1, expected 0");
  refuse({.shape = CosineSchedule{.lr = std::nan("")}}, "lr: got nan");
  refuse({.shape = CosineSchedule{.end_lr = -1}}, "end_lr: got -1");
  refuse({.shape = PolynomialSchedule{.power = -2}}, "power: got -2");
  refuse({.shape = StepSchedule{.every_epochs = 0}}, "every_epochs: got 0, expected above 0");
  refuse({.shape = StepSchedule{.gamma = -1}}, "gamma: got -1");
  refuse({.shape = PiecewiseSchedule{.boundaries = {1}, .values = {1}}},
         "got 1 boundaries and 1 values, expected one value more");
  refuse({.shape = PiecewiseSchedule{.boundaries = {2, 1}, .values = {1, 1, 1}}},
         "boundaries: got 1 after 2, expected increasing numbers");
  refuse({.shape = PiecewiseSchedule{.boundaries = {1}, .values = {1, -1}}}, "values: got -1");
  refuse({.warm_up = {.epochs = 4}}, "got a warm-up of 40 steps, expected less than the 40 steps");
  refuse({.warm_up = {.epochs = -1}}, "warm-up epochs: got -1");
  refuse({.warm_up = {.steps = -1}}, "warm-up steps: got -1");
  refuse({.warm_up = {.start_lr = -1}}, "warm-up start_lr: got -1");
  kit::expect_user_error([] { Schedule({}, 0, 3); }, "got 3 epochs of 0 steps");
}

}  // namespace
}  // namespace espalier::train
