#include "espalier/train/sgd.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

/// The update by its formula, one element at a time in double.
struct Reference {
  SgdOptions options;
  double decay;
  std::vector<double> value;
  std::vector<double> velocity = std::vector<double>(value.size(), 0.0);

  void step(double rate, const std::vector<double>& gradient) {
    for (std::size_t index = 0; index < value.size(); ++index) {
      const double slope = gradient[index] + decay * value[index];
      velocity[index] = options.momentum * velocity[index] + slope;
      value[index] -=
          rate * (options.nesterov ? slope + options.momentum * velocity[index] : velocity[index]);
    }
  }
};

struct SgdCase {
  std::string name;
  SgdOptions options;
  at::ScalarType type;
  double tolerance;
};

class SgdUpdate : public ::testing::TestWithParam<SgdCase> {};

TEST_P(SgdUpdate, FollowsItsFormula) {
  // Larger than one piece, so that several threads share a parameter.
  const Tensor value = kit::random_tensor({70, 300}, 1, {.type = GetParam().type});
  value.requires_grad_(true);
  Reference reference{.options = GetParam().options, .decay = 0.01, .value = kit::values_of(value)};
  const auto optimizer = make_sgd(
      GetParam().options, {{.name = "w", .value = value, .weight_decay = 0.01, .lr_scale = 2}});
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
    Variants, SgdUpdate,
    ::testing::Values(SgdCase{"Momentum", {.momentum = 0.9}, at::kFloat, 1e-5},
                      SgdCase{"Nesterov", {.momentum = 0.8, .nesterov = true}, at::kFloat, 1e-5},
                      SgdCase{"Plain", {.momentum = 0}, at::kFloat, 1e-5},
                      SgdCase{"Double", {.momentum = 0.9, .nesterov = true}, at::kDouble, 1e-13}),
    [](const auto& one) { return one.param.name; });

TEST(Sgd, TakesAScaleAtMostHalfTheWayToZero) {
  for (const bool nesterov : {false, true}) {
    const Tensor scale = kit::tensor_of({0.01F, 0.01F, 2.0F}).requires_grad_(true);
    const auto optimizer = make_sgd({.momentum = 0.9, .nesterov = nesterov},
                                    {{.name = "s", .value = scale, .relative = true}});
    for (int step = 0; step < 3; ++step) {
      scale.mutable_grad() = kit::tensor_of({100.0F, -100.0F, 0.01F});
      optimizer->step(0.1);
    }
    const Tensor found = scale.detach();
    EXPECT_FLOAT_EQ(found[0].item<float>(), 0.01F / 8);
    EXPECT_FLOAT_EQ(found[1].item<float>(), 0.01F * 3.375F);
    EXPECT_NEAR(found[2].item<float>(), 2.0F, 0.01F) << "small steps are those of all others";
    EXPECT_NE(found[2].item<float>(), 2.0F);
  }
}

TEST(Sgd, GivesTheSameBitsOnAnyNumberOfThreads) {
  const auto run = [](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const Tensor value = kit::random_tensor({300'001}, 1).requires_grad_(true);
    const auto optimizer = make_sgd({}, {{.name = "w", .value = value, .weight_decay = 0.1}});
    value.mutable_grad() = kit::random_tensor({300'001}, 2);
    optimizer->step(0.1);
    at::set_num_threads(before);
    return value.detach();
  };
  EXPECT_THAT(run(1), kit::HasSameBits(run(2)));
}

TEST(Sgd, HandlesOtherMemoryLayouts) {
  const Tensor plain = kit::random_tensor({4, 3, 5, 5}, 1);
  const Tensor gradient = kit::random_tensor({4, 3, 5, 5}, 2);
  const auto run = [&](at::MemoryFormat value_format, at::MemoryFormat gradient_format) {
    const Tensor value = plain.clone(value_format).requires_grad_(true);
    const auto optimizer = make_sgd({}, {{.name = "w", .value = value, .weight_decay = 0.1}});
    for (int step = 0; step < 2; ++step) {
      value.mutable_grad() = gradient.clone(gradient_format);
      optimizer->step(0.1);
    }
    return value.detach();
  };
  const Tensor expected = run(at::MemoryFormat::Contiguous, at::MemoryFormat::Contiguous);
  EXPECT_THAT(run(at::MemoryFormat::ChannelsLast, at::MemoryFormat::Contiguous),
              kit::HasSameBits(expected));
  EXPECT_THAT(run(at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast),
              kit::HasSameBits(expected));
}

TEST(Sgd, LeavesParametersWithoutGradientAlone) {
  const Tensor value = kit::tensor_of({1, 2}).requires_grad_(true);
  const auto optimizer = make_sgd({}, {{.name = "w", .value = value, .weight_decay = 0.5}});
  optimizer->step(1.0);
  EXPECT_THAT(value.detach(), kit::HasSameBits(kit::tensor_of({1, 2})));
}

TEST(Sgd, DescribesItselfAndRefusesBadNumbers) {
  EXPECT_EQ(make_sgd({.momentum = 0.9, .nesterov = true}, {})->describe(),
            "sgd momentum 0.9 nesterov");
  EXPECT_TRUE(
      make_sgd({.momentum = 0}, {{.name = "w", .value = kit::tensor_of({1})}})->slots().empty());
  kit::expect_user_error([] { (void)make_sgd({.momentum = 1.0}, {}); },
                         "optimizer sgd, momentum: got 1, expected 0 or more and below 1");
  kit::expect_user_error([] { (void)make_sgd({.momentum = 0, .nesterov = true}, {}); },
                         "optimizer sgd: nesterov needs a momentum above 0");
}

}  // namespace
}  // namespace espalier::train
