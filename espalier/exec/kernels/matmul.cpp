#include <algorithm>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/einsum.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/wide.h"

namespace espalier::exec {

Kernel make_mat_mul(const KernelRequest&) {
  return [](Call& call) {
    const Tensor product = at::matmul(widen(call.inputs[0]), widen(call.inputs[1]));
    call.outputs[0] = product.to(call.inputs[0].scalar_type());
  };
}

namespace {

struct GemmSettings {
  float alpha = 1;
  float beta = 1;
  bool transpose_a = false;
  bool transpose_b = false;
};

/// alpha * a' * b' + beta * c; factors other than 1 are left out of the fast path.
Tensor general_product(const Tensor& a, const Tensor& b, const Tensor& c,
                       const GemmSettings& settings) {
  if (a.dim() != 2 || b.dim() != 2) throw std::invalid_argument("operands must be matrices");
  const Tensor left = settings.transpose_a ? a.t() : a;
  const Tensor right = settings.transpose_b ? b.t() : b;
  const bool plain = settings.alpha == 1 && settings.beta == 1;
  const bool vector_bias = c.defined() && c.dim() == 1 && c.size(0) == right.size(1);
  if (plain && a.is_floating_point() && (!c.defined() || vector_bias)) {
    return at::linear(left, right.t(), c);
  }
  Tensor product = at::matmul(left, right);
  if (settings.alpha != 1) product = product * settings.alpha;
  if (c.defined()) product = product + (settings.beta == 1 ? c : c * settings.beta);
  return product.to(a.scalar_type());
}

}  // namespace

Kernel make_gemm(const KernelRequest& request) {
  const ir::Node& node = request.node;
  const GemmSettings settings{.alpha = node.get_float("alpha", 1),
                              .beta = node.get_float("beta", 1),
                              .transpose_a = node.get_int("transA", 0) != 0,
                              .transpose_b = node.get_int("transB", 0) != 0};
  return [settings](Call& call) {
    const Tensor c = call.has_input(2) ? call.inputs[2] : Tensor();
    call.outputs[0] = general_product(call.inputs[0], call.inputs[1], c, settings);
  };
}

Kernel make_einsum(const KernelRequest& request) {
  std::string equation = request.node.get_string("equation", "");
  std::erase(equation, ' ');
  return [equation](Call& call) {
    call.outputs[0] = at::einsum(equation, at::TensorList(call.inputs.data(), call.inputs.size()));
  };
}

}  // namespace espalier::exec
