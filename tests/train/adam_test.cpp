#include "espalier/train/adam.h"

#include <cmath>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

/// The algorithm as the papers write it: bias-corrected moments, one element at a time in double.
struct Reference {
  AdamOptions options;
  double decay;
  std::vector<double> value;
  std::vector<double> first = std::vector<double>(value.size(), 0.0);
  std::vector<double> second = std::vector<double>(value.size(), 0.0);
  int updates = 0;

  void step(double rate, const std::vector<double>& gradient) {
    ++updates;
    double power_first = 1;
    double power_second = 1;
    for (int round = 0; round < updates; ++round) {
      power_first *= options.beta1;
      power_second *= options.beta2;
    }
    for (std::size_t index = 0; index < value.size(); ++index) {
      double slope = gradient[index];
      if (!options.decoupled_decay) slope += decay * value[index];
      first[index] = options.beta1 * first[index] + (1 - options.beta1) * slope;
      second[index] = options.beta2 * second[index] + (1 - options.beta2) * slope * slope;
      const double corrected_first = first[index] / (1 - power_first);
      const double corrected_second = second[index] / (1 - power_second);
      const double shrunk = options.decoupled_decay ? rate * decay * value[index] : 0;
      value[index] -=
          rate * corrected_first / (std::sqrt(corrected_second) + options.epsilon) + shrunk;
    }
  }
};

struct Case {
  std::string name;
  AdamOptions options;
  at::ScalarType type;
  double tolerance;
};

class AdamUpdate : public ::testing::TestWithParam<Case> {};

TEST_P(AdamUpdate, FollowsItsFormula) {
  // Larger than one range, so that several threads share a parameter.
  const Tensor value = kit::random_tensor({70, 300}, 1, {.type = GetParam().type});
  value.requires_grad_(true);
  Reference reference{.options = GetParam().options, .decay = 0.1, .value = kit::values_of(value)};
  const auto optimizer = make_adam(
      GetParam().options, {{.name = "w", .value = value, .weight_decay = 0.1, .lr_scale = 2}});
  for (int step = 0; step < 4; ++step) {
    const Tensor gradient = kit::random_tensor({70, 300}, 10 + static_cast<std::uint64_t>(step),
                                               {.type = GetParam().type});
    value.mutable_grad() = gradient;
    optimizer->step(0.05);
    reference.step(0.1, kit::values_of(gradient));
  }
  const Tensor expected = at::empty({70, 300}, at::kDouble);
  std::ranges::copy(reference.value, expected.mutable_data_ptr<double>());
  EXPECT_THAT(value, kit::IsCloseTo(expected, kit::Tolerance{.absolute = GetParam().tolerance,
                                                             .relative = GetParam().tolerance}));
}

INSTANTIATE_TEST_SUITE_P(
    Variants, AdamUpdate,
    ::testing::Values(
        Case{"Adam", {}, at::kFloat, 1e-4},
        Case{"AdamW", {.decoupled_decay = true}, at::kFloat, 1e-4},
        Case{"OtherRates", {.beta1 = 0.5, .beta2 = 0.9, .epsilon = 0.1}, at::kFloat, 1e-5},
        Case{"Double", {.decoupled_decay = true}, at::kDouble, 1e-12}),
    [](const auto& one) { return one.param.name; });

TEST(Adam, TheFirstStepIsTheLearningRateWhateverTheGradient) {
  const Tensor value = kit::tensor_of({1, 1, 1}).requires_grad_(true);
  const auto optimizer = make_adam({}, {{.name = "w", .value = value}});
  value.mutable_grad() = kit::tensor_of({1e-3F, -50, 0});
  optimizer->step(0.25);
  EXPECT_THAT(value.detach(),
              kit::IsCloseTo(kit::tensor_of({0.75F, 1.25F, 1}), kit::Tolerance{.absolute = 1e-4}));
}

TEST(Adam, RelativeStepsAreSharesOfTheParameter) {
  const Tensor value = kit::tensor_of({1e-3F, 4, -2}).requires_grad_(true);
  const auto optimizer = make_adam({}, {{.name = "w", .value = value, .relative = true}});
  for (int step = 0; step < 200; ++step) {
    value.mutable_grad() = kit::tensor_of({5, 1e-3F, 1});
    optimizer->step(0.01);
  }
  const auto shrunk = static_cast<float>(std::pow(0.99, 200));
  const auto grown = static_cast<float>(std::pow(1.01, 200));
  EXPECT_THAT(value.detach(),
              kit::IsCloseTo(kit::tensor_of({1e-3F * shrunk, 4 * shrunk, -2 * grown}),
                             kit::Tolerance{.relative = 1e-2}));
}

TEST(Adam, ARelativeStepGoesAtMostHalfTheWayToZero) {
  const Tensor value = kit::tensor_of({1e-3F, 4}).requires_grad_(true);
  const auto optimizer =
      make_adam({}, {{.name = "s", .value = value, .lr_scale = 100, .relative = true}});
  value.mutable_grad() = kit::tensor_of({5, -5});
  optimizer->step(0.01);
  EXPECT_THAT(value.detach(), kit::IsCloseTo(kit::tensor_of({5e-4F, 6})));
  value.mutable_grad() = kit::tensor_of({NAN, 0});
  optimizer->step(0.01);
  EXPECT_TRUE(std::isnan(value[0].item<float>())) << "it has to be seen";
}

TEST(Adam, GivesTheSameBitsOnAnyNumberOfThreads) {
  const auto run = [](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const Tensor value = kit::random_tensor({100'001}, 1).requires_grad_(true);
    const auto optimizer = make_adam({}, {{.name = "w", .value = value, .weight_decay = 0.1}});
    value.mutable_grad() = kit::random_tensor({100'001}, 2);
    optimizer->step(0.1);
    at::set_num_threads(before);
    return value.detach();
  };
  EXPECT_THAT(run(1), kit::HasSameBits(run(2)));
}

TEST(Adam, AParameterWithoutGradientKeepsValueAndState) {
  const Tensor still = kit::tensor_of({1, 2}).requires_grad_(true);
  const Tensor moving = kit::tensor_of({1, 2}).requires_grad_(true);
  const auto optimizer =
      make_adam({}, {{.name = "still", .value = still, .weight_decay = 0.5}, {"moving", moving}});
  moving.mutable_grad() = kit::tensor_of({1, 1});
  optimizer->step(0.1);
  EXPECT_THAT(still.detach(), kit::HasSameBits(kit::tensor_of({1, 2})));
  EXPECT_THAT(optimizer->slots().at("updates/still"), kit::HasSameBits(kit::integers_of({0})));
  EXPECT_THAT(optimizer->slots().at("updates/moving"), kit::HasSameBits(kit::integers_of({1})));
}

TEST(Adam, GoesOnFromItsSlots) {
  const auto steps = [](Optimizer& optimizer, const Tensor& value, int from, int to) {
    for (int step = from; step < to; ++step) {
      value.mutable_grad() = kit::random_tensor({50}, static_cast<std::uint64_t>(step));
      optimizer.step(0.1);
    }
  };
  const Tensor whole = kit::random_tensor({50}, 9).requires_grad_(true);
  const auto unbroken = make_adam({}, {{.name = "w", .value = whole}});
  steps(*unbroken, whole, 0, 5);
  const Tensor first = kit::random_tensor({50}, 9).requires_grad_(true);
  const auto before = make_adam({}, {{.name = "w", .value = first}});
  steps(*before, first, 0, 2);
  const Tensor second = first.detach().clone().requires_grad_(true);
  const auto after = make_adam({}, {{.name = "w", .value = second}});
  after->load_slots(before->slots());
  steps(*after, second, 2, 5);
  EXPECT_THAT(second.detach(), kit::HasSameBits(whole.detach()));
}

TEST(Adam, DescribesItselfAndRefusesBadNumbers) {
  EXPECT_EQ(make_adam({}, {})->describe(), "adam beta1 0.9 beta2 0.999 epsilon 1e-08");
  EXPECT_EQ(make_adam({.decoupled_decay = true}, {})->describe(),
            "adamw beta1 0.9 beta2 0.999 epsilon 1e-08");
  kit::expect_user_error([] { (void)make_adam({.beta1 = 1}, {}); },
                         "optimizer adam, beta1: got 1, expected 0 or more and below 1");
  kit::expect_user_error([] { (void)make_adam({.beta2 = -1}, {}); },
                         "optimizer adam, beta2: got -1");
  kit::expect_user_error([] { (void)make_adam({.epsilon = 0}, {}); },
                         "optimizer adam, epsilon: got 0, expected a number above 0");
}

}  // namespace
}  // namespace espalier::train
