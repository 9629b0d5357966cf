#include "espalier/passes/fuse_hard_swish.h"

#include <cmath>
#include <optional>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::int64_t kHardSwishOpset = 14;
constexpr double kTolerance = 1e-6;

bool is_near(std::optional<double> number, double wanted) {
  return number && std::abs(*number - wanted) <= kTolerance * std::max(1.0, std::abs(wanted));
}

/// The computed operand of a commutative node whose other operand is about this constant.
ir::Value* operand_beside(const ir::Node& node, double constant) {
  if (node.inputs().size() != 2) return nullptr;
  if (is_near(constant_number(node.input(1)), constant)) return node.input(0);
  if (is_near(constant_number(node.input(0)), constant)) return node.input(1);
  return nullptr;
}

/// What is divided by 6 (or multiplied by 1/6) in the node; null when nothing is.
ir::Value* sixth_of(const ir::Node& node) {
  if (node.is("Div") && is_near(constant_number(node.input(1)), 6.0)) return node.input(0);
  return node.is("Mul") ? operand_beside(node, 1.0 / 6.0) : nullptr;
}

/// x where the value is Clip(Add(x, 3), 0, 6) that `user` alone uses; null otherwise.
ir::Value* shifted_relu6_input(const ir::Value* value, const ir::Node& user) {
  const ir::Node* clip = value == nullptr ? nullptr : value->producer();
  if (clip == nullptr || !clip->is("Clip") || sole_user(value) != &user) return nullptr;
  if (!is_near(constant_number(clip->input(1)), 0.0)) return nullptr;
  if (!is_near(constant_number(clip->input(2)), 6.0)) return nullptr;
  const ir::Node* add = clip->input(0) == nullptr ? nullptr : clip->input(0)->producer();
  if (add == nullptr || !add->is("Add") || sole_user(clip->input(0)) != clip) return nullptr;
  return operand_beside(*add, 3.0);
}

void make_unary(ir::Graph& graph, ir::Node& node, const char* op, ir::Value& input) {
  graph.set_op(node, op);
  graph.set_input(node, 0, &input);
  graph.truncate_inputs(node, 1);
}

bool to_hard_sigmoid(ir::Graph& graph, ir::Node& node) {
  ir::Value* input = shifted_relu6_input(sixth_of(node), node);
  if (input == nullptr) return false;
  make_unary(graph, node, "HardSigmoid", *input);
  node.set("alpha", 1.0F / 6.0F);
  node.set("beta", 0.5F);
  return true;
}

/// x where the node is Mul(x, HardSigmoid(x)) with the numbers of the hard swish; null otherwise.
ir::Value* gated_input(const ir::Node& node) {
  if (!node.is("Mul")) return nullptr;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    const ir::Value* gate = node.input(side);
    ir::Value* input = node.input(1 - side);
    const ir::Node* sigmoid = gate == nullptr ? nullptr : gate->producer();
    if (sigmoid == nullptr || !sigmoid->is("HardSigmoid") || sole_user(gate) != &node) continue;
    if (!is_near(sigmoid->get_float("alpha", 0.2F), 1.0 / 6.0)) continue;
    if (!is_near(sigmoid->get_float("beta", 0.5F), 0.5)) continue;
    if (sigmoid->input(0) == input) return input;
  }
  return nullptr;
}

/// x where the node is a sixth of Mul(x, Clip(Add(x, 3), 0, 6)); null otherwise.
ir::Value* divided_input(const ir::Node& node) {
  const ir::Value* product = sixth_of(node);
  const ir::Node* mul = product == nullptr ? nullptr : product->producer();
  if (mul == nullptr || !mul->is("Mul") || sole_user(product) != &node) return nullptr;
  for (const std::size_t side : {std::size_t{0}, std::size_t{1}}) {
    ir::Value* input = mul->input(1 - side);
    if (input != nullptr && shifted_relu6_input(mul->input(side), *mul) == input) return input;
  }
  return nullptr;
}

std::size_t fuse_hard_swish_in(ir::Graph& graph) {
  std::size_t changes = 0;
  const bool has_hard_swish = opset_of(graph) >= kHardSwishOpset;
  for (ir::Node* node : graph.nodes()) {
    if (to_hard_sigmoid(graph, *node)) ++changes;
    if (!has_hard_swish) continue;
    ir::Value* input = gated_input(*node);
    if (input == nullptr) input = divided_input(*node);
    if (input == nullptr) continue;
    make_unary(graph, *node, "HardSwish", *input);
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass fuse_hard_swish() {
  return {.name = "fuse_hard_swish", .apply = fuse_hard_swish_in};
}

}  // namespace espalier::passes
