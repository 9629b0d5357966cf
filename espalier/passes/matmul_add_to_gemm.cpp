#include "espalier/passes/matmul_add_to_gemm.h"

#include "espalier/passes/bypass.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

/// The Add's constant operand as a vector of `columns`, undefined when it is something else.
Tensor row_constant(const ir::Node& add, const ir::Value& product, std::int64_t columns) {
  const ir::Value* other = add.input(0) == &product ? add.input(1) : add.input(0);
  const Tensor* constant = constant_of(other);
  if (constant == nullptr || constant->dim() > 2) return {};
  const bool is_row =
      constant->numel() == 1 || (constant->numel() == columns && constant->size(-1) == columns);
  if (!is_row) return {};
  return constant->reshape({-1}).expand({columns}).contiguous();
}

/// The MatMul whose product the Add alone uses; null when there is none.
ir::Node* product_of(const ir::Node& add) {
  for (const ir::Value* input : add.inputs()) {
    if (input == nullptr || input->producer() == nullptr || sole_user(input) != &add) continue;
    if (input->producer()->is("MatMul")) return input->producer();
  }
  return nullptr;
}

bool rewrite(ir::Graph& graph, ir::Node& add) {
  if (!add.is("Add")) return false;
  ir::Node* product = product_of(add);
  if (product == nullptr || product->input(0) == nullptr) return false;
  const auto& shape = product->input(0)->type().shape;
  const Tensor* weight = constant_of(product->input(1));
  if (!shape || shape->size() != 2 || weight == nullptr || weight->dim() != 2) return false;
  const Tensor constant = row_constant(add, *product->output(), weight->size(1));
  if (!constant.defined() || constant.scalar_type() != weight->scalar_type()) return false;
  const std::string name = graph.unique_value_name(product->name() + "_bias");
  ir::Value& bias = graph.add_initializer(name, constant);
  graph.set_op(*product, "Gemm");
  graph.set_input(*product, 2, &bias);
  return bypass(graph, add, *product->output());
}

std::size_t matmul_add_to_gemm_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (rewrite(graph, *node)) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass matmul_add_to_gemm() {
  return {.name = "matmul_add_to_gemm", .apply = matmul_add_to_gemm_in};
}

}  // namespace espalier::passes
