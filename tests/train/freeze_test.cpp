#include "espalier/train/freeze.h"

#include <ATen/ops/ones.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

exec::Program program() {
  return exec::Program::compile(synthetic_model(1), {.mode = exec::Mode::Training});
}

TEST(Freezer, FrozenParametersGetNoGradientAndThawAgain) {
  const exec::Program model = program();
  Freezer freezer;
  freezer.apply(model, {"conv.*"});
  const Tensor images = kit::random_tensor({4, 1, 8, 8}, 1);
  model.run(std::span(&images, 1)).at(0).square().sum().backward();
  EXPECT_FALSE(model.parameters().at("conv.weight").grad().defined());
  EXPECT_TRUE(model.parameters().at("head.weight").grad().defined());
  freezer.apply(model, {});
  model.run(std::span(&images, 1)).at(0).square().sum().backward();
  EXPECT_TRUE(model.parameters().at("conv.weight").grad().defined());
}

TEST(Freezer, FrozenBuffersKeepTheirValues) {
  const exec::Program model = program();
  Freezer freezer;
  freezer.apply(model, {"norm.mean"});
  const Tensor images = kit::random_tensor({4, 1, 8, 8}, 1);
  (void)model.run(std::span(&images, 1));
  freezer.restore_buffers();
  EXPECT_THAT(model.buffers().at("norm.mean"), kit::HasSameBits(at::zeros({6})));
  EXPECT_NE(kit::bit_difference(model.buffers().at("norm.variance"), at::ones({6})), "");
}

TEST(Freezer, RefusesAGlobThatMatchesNothing) {
  const exec::Program model = program();
  kit::expect_user_error(
      [&] {
        Freezer().apply(model, {"conv.*", "norm.maen"});
      },
      "nothing to freeze has this name: got 'norm.maen' (norm.mean)");
  kit::expect_user_error([&] { Freezer().apply(model, {"*"}); },
                         "nothing is left to train: every parameter is frozen: got *");
}

}  // namespace
}  // namespace espalier::train
