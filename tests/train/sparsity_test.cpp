#include "espalier/train/sparsity.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "espalier/onnx/text.h"
#include "espalier/train/loop.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

TEST(Sparsity, AddsTheSignTimesTheFactor) {
  Tensor gamma = kit::tensor_of({2, -0.5F, 0, 1e-8F});
  gamma.mutable_grad() = kit::tensor_of({0.25F, 0.25F, 0.25F, -1});
  Tensor other = kit::tensor_of({1});
  other.mutable_grad() = kit::tensor_of({3});
  const Tensor frozen = kit::tensor_of({1});
  const exec::TensorMap parameters{{"gamma", gamma}, {"other", other}, {"frozen", frozen}};
  add_sparsity_gradient(parameters, {"gamma", "frozen", "absent"}, {.bn_scale = 0.125});
  EXPECT_THAT(gamma.grad(), kit::HasSameBits(kit::tensor_of({0.375F, 0.125F, 0.25F, -0.875F})));
  EXPECT_THAT(other.grad(), kit::HasSameBits(kit::tensor_of({3})));
  EXPECT_FALSE(frozen.grad().defined());
  add_sparsity_gradient(parameters, {"gamma"}, {});
  EXPECT_THAT(gamma.grad(), kit::HasSameBits(kit::tensor_of({0.375F, 0.125F, 0.25F, -0.875F})));
}

/// One step of plain gradient descent from the same weights, with and without the penalty.
ir::Graph after_one_step(double bn_scale) {
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  SyntheticSource source({.batches = 1, .batch_size = 8, .seed = 4});
  TrainOptions options{.optimizer = SgdOptions{.momentum = 0},
                       .schedule = {.shape = ConstantSchedule{.lr = 0.5}},
                       .sparsity = {.bn_scale = bn_scale}};
  return train({.graph = graph, .program = program, .data = source, .losses = {cross_entropy()}},
               options)
      .model;
}

TEST(Sparsity, ChangesAStepOfTheLoopByLrTimesFactorTimesSign) {
  const ir::Graph start = synthetic_model(3);
  const std::vector<std::string> names = norm_scales(start);
  ASSERT_FALSE(names.empty());
  const ir::Graph plain = after_one_step(0);
  const ir::Graph sparse = after_one_step(0.01);
  for (const std::string& name : names) {
    const Tensor expected = plain.find_value(name)->constant() -
                            start.find_value(name)->constant().sign() * (0.5 * 0.01);
    EXPECT_THAT(sparse.find_value(name)->constant(), kit::IsCloseTo(expected)) << name;
  }
  for (const ir::Value* value : plain.initializers()) {
    if (std::ranges::find(names, value->name()) != names.end()) continue;
    EXPECT_THAT(sparse.find_value(value->name())->constant(), kit::HasSameBits(value->constant()))
        << value->name();
  }
}

TEST(Sparsity, RefusesABadFactorAndAModelWithoutNorms) {
  kit::expect_user_error([] { (void)after_one_step(-1); }, "sparsity: bn_scale: got -1");
  const ir::Graph plain = onnx::parse("g (float[N,2] x) => (float[N,2] y) { y = Relu(x) }");
  kit::expect_user_error([&] { check_sparsity(plain, {.bn_scale = 0.1}); },
                         "bn_scale has nothing to act on: got a model without BatchNormalization");
}

}  // namespace
}  // namespace espalier::train
