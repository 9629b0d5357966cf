#include "espalier/exec/kernels/root.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/masked_fill.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/sqrt.h>

namespace espalier::exec {
namespace {

Tensor plain_root(const Tensor& powers, double order) {
  return order == 2 ? at::sqrt(powers) : at::pow(powers, 1 / order);
}

}  // namespace

Tensor root_of(const Tensor& powers, double order) {
  if (!powers.requires_grad()) return plain_root(powers, order);
  const Tensor zero = powers == 0;
  return plain_root(powers.masked_fill(zero, 1), order).masked_fill(zero, 0);
}

}  // namespace espalier::exec
