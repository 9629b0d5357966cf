#include "espalier/train/gradients.h"

#include <cmath>
#include <limits>

#include <ATen/Parallel.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

Tensor with_gradient(const Tensor& gradient) {
  Tensor value = at::zeros_like(gradient).requires_grad_(true);
  value.mutable_grad() = gradient;
  return value;
}

TEST(Gradients, TheNormCoversAllParameters) {
  const exec::TensorMap parameters{{"a", with_gradient(kit::tensor_of({3, 0}))},
                                   {"b", with_gradient(kit::tensor_of({0, 4, 12}))},
                                   {"frozen", kit::tensor_of({100}).requires_grad_(true)}};
  EXPECT_DOUBLE_EQ(gradient_norm(parameters), 13);
  EXPECT_EQ(gradient_norm({}), 0);
}

TEST(Gradients, TheNormIsTheSameOnAnyThreadsAndInAnyLayout) {
  const Tensor gradient = kit::random_tensor({20, 30, 9, 11}, 3, {.normal = true});
  double expected = 0;
  for (const double value : kit::values_of(gradient)) expected += value * value;
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const double one = gradient_norm({{"w", with_gradient(gradient)}});
  at::set_num_threads(2);
  EXPECT_EQ(gradient_norm({{"w", with_gradient(gradient)}}), one);
  at::set_num_threads(before);
  EXPECT_NEAR(one, std::sqrt(expected), 1e-10 * one);
  Tensor spread = at::zeros_like(gradient).requires_grad_(true);
  spread.mutable_grad() = kit::random_tensor({20, 30, 9, 22}, 3).slice(3, 0, 22, 2);
  EXPECT_NEAR(gradient_norm({{"w", spread}}),
              std::sqrt(spread.grad().to(at::kDouble).square().sum().item<double>()), 1e-9);
}

TEST(Gradients, TheNormShowsBadNumbersAndOnlyThose) {
  const float bad[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity()};
  for (const float number : bad) {
    EXPECT_FALSE(std::isfinite(gradient_norm({{"w", with_gradient(kit::tensor_of({1, number}))}})));
  }
  const float large = std::numeric_limits<float>::max();
  EXPECT_TRUE(std::isfinite(gradient_norm({{"w", with_gradient(kit::tensor_of({large, large}))}})));
}

TEST(Gradients, ClipByNormKeepsTheDirection) {
  const exec::TensorMap parameters{{"a", with_gradient(kit::tensor_of({3}))},
                                   {"b", with_gradient(kit::tensor_of({4}))}};
  const ClipOptions options{.kind = ClipOptions::Kind::GlobalNorm, .limit = 1};
  clip_gradients(parameters, options, gradient_norm(parameters));
  EXPECT_THAT(parameters.at("a").grad(), kit::IsCloseTo(kit::tensor_of({0.6F})));
  EXPECT_THAT(parameters.at("b").grad(), kit::IsCloseTo(kit::tensor_of({0.8F})));
  clip_gradients(parameters, {.kind = ClipOptions::Kind::GlobalNorm, .limit = 5},
                 gradient_norm(parameters));
  EXPECT_THAT(parameters.at("b").grad(), kit::IsCloseTo(kit::tensor_of({0.8F})));
}

TEST(Gradients, ClipByValueBoundsEachElement) {
  const exec::TensorMap parameters{{"a", with_gradient(kit::tensor_of({-3, 0.25F, 9}))},
                                   {"frozen", kit::tensor_of({1}).requires_grad_(true)}};
  clip_gradients(parameters, {}, 1000);
  EXPECT_THAT(parameters.at("a").grad(), kit::IsCloseTo(kit::tensor_of({-3, 0.25F, 9})));
  clip_gradients(parameters, {.kind = ClipOptions::Kind::Value, .limit = 0.5}, 0);
  EXPECT_THAT(parameters.at("a").grad(), kit::IsCloseTo(kit::tensor_of({-0.5F, 0.25F, 0.5F})));
  EXPECT_FALSE(parameters.at("frozen").grad().defined());
}

TEST(Gradients, DescribesAndRefuses) {
  EXPECT_EQ(describe_clip({}), "");
  EXPECT_EQ(describe_clip({.kind = ClipOptions::Kind::GlobalNorm, .limit = 2}),
            "clip global_norm 2");
  EXPECT_EQ(describe_clip({.kind = ClipOptions::Kind::Value, .limit = 0.5}), "clip value 0.5");
  check_clip({.limit = -1});
  kit::expect_user_error([] { check_clip({.kind = ClipOptions::Kind::Value, .limit = 0}); },
                         "limit of gradient clipping: got 0, expected a number above 0");
}

}  // namespace
}  // namespace espalier::train
