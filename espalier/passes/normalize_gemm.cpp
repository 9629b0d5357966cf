#include "espalier/passes/normalize_gemm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>

#include "espalier/passes/channel_affine.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

bool is_normal(const ir::Node& gemm) {
  if (gemm.get_float("alpha", 1.0F) != 1.0F || gemm.get_float("beta", 1.0F) != 1.0F) return false;
  return gemm.input(2) == nullptr ||
         (gemm.input(2)->type().shape && gemm.input(2)->type().shape->size() == 1 &&
          tensor::num_elements(*gemm.input(2)->type().shape) == num_output_channels(gemm));
}

bool is_finite(const Tensor& tensor) {
  return at::isfinite(tensor).all().item<bool>();
}

bool normalize(ir::Graph& graph, ir::Node& gemm) {
  const std::int64_t columns = num_output_channels(gemm);
  if (!gemm.is("Gemm") || columns == 0 || is_normal(gemm)) return false;
  const Tensor& weight = *constant_of(gemm.input(1));
  const Tensor scaled =
      (weight.to(at::kDouble) * static_cast<double>(gemm.get_float("alpha", 1.0F)))
          .to(weight.scalar_type());
  if (!is_finite(scaled)) return false;
  if (gemm.input(2) != nullptr) {
    const Tensor* bias = constant_of(gemm.input(2));
    if (bias == nullptr || !at::isFloatingType(bias->scalar_type())) return false;
    const bool is_row = bias->numel() == 1 ||
                        (bias->numel() == columns && bias->dim() <= 2 && bias->size(-1) == columns);
    if (!is_row) return false;
    const Tensor row = (bias->to(at::kDouble) * static_cast<double>(gemm.get_float("beta", 1.0F)))
                           .to(weight.scalar_type())
                           .reshape({-1})
                           .expand({columns})
                           .contiguous();
    if (!is_finite(row)) return false;
    replace_constant(graph, gemm, 2, row);
  }
  if (gemm.get_float("alpha", 1.0F) != 1.0F) replace_constant(graph, gemm, 1, scaled);
  gemm.remove("alpha");
  gemm.remove("beta");
  return true;
}

std::size_t normalize_gemm_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (normalize(graph, *node)) ++changes;
  }
  return changes;
}

}  // namespace

Pass normalize_gemm() {
  return {.name = "normalize_gemm", .apply = normalize_gemm_in};
}

}  // namespace espalier::passes
