#include "espalier/exec/kernels/root.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sqrt.h>
#include <ATen/ops/sum.h>
#include <gmock/gmock.h>

#include "tests/kit/tensors.h"

namespace espalier::exec {
namespace {

using ::testing::ElementsAre;

TEST(RootOf, IsTheRootOfItsOrder) {
  const Tensor powers = kit::tensor_of({0, 8, 27, 1e-30F, 2.5F});
  EXPECT_THAT(root_of(powers), kit::HasSameBits(at::sqrt(powers)));
  EXPECT_THAT(root_of(powers, 3), kit::HasSameBits(at::pow(powers, 1.0 / 3)));
  const Tensor trained = powers.clone().requires_grad_();
  EXPECT_THAT(root_of(trained).detach(), kit::HasSameBits(root_of(powers)));
  EXPECT_THAT(root_of(trained, 3).detach(), kit::HasSameBits(root_of(powers, 3)));
}

TEST(RootOf, HasNoSlopeAtZero) {
  const Tensor powers = kit::tensor_of({0, 4, 0, 64}).requires_grad_();
  at::sum(root_of(powers)).backward();
  EXPECT_THAT(kit::values_of(powers.grad()), ElementsAre(0, 0.25, 0, 0.0625));
}

TEST(RootOf, GivesANormOfZerosAGradient) {
  const Tensor rows = kit::tensor_of({0, 0, 3, 4}, {2, 2}).requires_grad_();
  at::sum(root_of(at::sum(rows * rows, {1}))).backward();
  const std::vector<double> found = kit::values_of(rows.grad());
  EXPECT_EQ(found[0], 0);
  EXPECT_EQ(found[1], 0);
  EXPECT_NEAR(found[2], 0.6, 1e-6);
  EXPECT_NEAR(found[3], 0.8, 1e-6);
}

}  // namespace
}  // namespace espalier::exec
