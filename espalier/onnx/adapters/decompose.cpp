#include "espalier/onnx/adapters/decompose.h"

#include <cmath>
#include <numbers>

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include "espalier/onnx/adapters/adapter.h"

namespace espalier::onnx {
namespace {

/// The factor that Gelu multiplies with 0.5 * x.
ir::Value& gelu_factor(ir::Graph& graph, const ir::Node& node, ir::Value* x) {
  const auto constant = [&](std::string_view what, double value) {
    return &add_constant(graph, node, what, scalar_like(x, value));
  };
  const auto op = [&](std::string_view suffix, std::string name, std::vector<ir::Value*> inputs) {
    return &insert_op(graph, node, suffix, std::move(name), std::move(inputs));
  };
  ir::Value* inner = nullptr;
  if (node.get_string("approximate", "none") == "tanh") {
    ir::Value* square = op("square", "Mul", {x, x});
    ir::Value* cube = op("cube", "Mul", {square, x});
    ir::Value* term = op("term", "Mul", {cube, constant("cubic", 0.044715)});
    ir::Value* sum = op("sum", "Add", {x, term});
    ir::Value* scaled =
        op("scaled", "Mul", {sum, constant("slope", std::sqrt(2.0 * std::numbers::inv_pi))});
    inner = op("tanh", "Tanh", {scaled});
  } else {
    ir::Value* scaled = op("scaled", "Div", {x, constant("root", std::numbers::sqrt2)});
    inner = op("erf", "Erf", {scaled});
  }
  return *op("factor", "Add", {inner, constant("one", 1.0)});
}

/// x as [N, groups, -1], normalized per group with these parameters, back in x's shape.
ir::Value& normalize_groups(ir::Graph& graph, const ir::Node& node, ir::Value* scale,
                            ir::Value* bias) {
  ir::Value* x = node.input(0);
  const std::int64_t groups = node.get_int("num_groups");
  ir::Value& shape = insert_op(graph, node, "shape", "Shape", {x});
  shape.set_type({.dtype = tensor::DType::Int64, .shape = {}});
  ir::Value& target = add_constant(graph, node, "groups", int_vector({0, groups, -1}));
  ir::Value& rows = insert_op(graph, node, "rows", "Reshape", {x, &target});
  ir::Value& normal =
      insert_op(graph, node, "normal", "InstanceNormalization", {&rows, scale, bias},
                {{"epsilon", node.get_float("epsilon", 1e-5F)}});
  return insert_op(graph, node, "whole", "Reshape", {&normal, &shape});
}

/// A parameter of C channels as [C, 1, 1, ...] beside an input of this rank.
ir::Value& per_channel(ir::Graph& graph, const ir::Node& node, std::size_t index,
                       std::string_view what, std::int64_t rank) {
  ir::Ints shape(static_cast<std::size_t>(rank - 1), 1);
  shape[0] = -1;
  ir::Value& target = add_constant(graph, node, what, int_vector(shape));
  return insert_op(graph, node, what, "Reshape", {node.input(index), &target});
}

}  // namespace

void decompose_gelu(ir::Graph& graph, ir::Node& node) {
  ir::Value* x = node.input(0);
  ir::Value& factor = gelu_factor(graph, node, x);
  ir::Value& half = add_constant(graph, node, "half", scalar_like(x, 0.5));
  ir::Value& halved = insert_op(graph, node, "halved", "Mul", {x, &half});
  become(graph, node, "Mul", {&halved, &factor});
}

void decompose_mish(ir::Graph& graph, ir::Node& node) {
  ir::Value* x = node.input(0);
  ir::Value& softplus = insert_op(graph, node, "softplus", "Softplus", {x});
  ir::Value& tanh = insert_op(graph, node, "tanh", "Tanh", {&softplus});
  become(graph, node, "Mul", {x, &tanh});
}

void decompose_hard_swish(ir::Graph& graph, ir::Node& node) {
  ir::Value* x = node.input(0);
  ir::Value& gate =
      insert_op(graph, node, "gate", "HardSigmoid", {x}, {{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}});
  become(graph, node, "Mul", {x, &gate});
}

void decompose_channel_group_norm(ir::Graph& graph, ir::Node& node) {
  const auto rank = rank_of(node.input(0));
  if (!rank || *rank < 3) refuse_below(node, 21, "an input of unknown rank");
  const std::int64_t groups = node.get_int("num_groups");
  const auto type = tensor::to_scalar_type(node.input(0)->type().dtype).value_or(at::kFloat);
  ir::Value& ones = add_constant(graph, node, "ones", at::ones({groups}, type));
  ir::Value& zeros = add_constant(graph, node, "zeros", at::zeros({groups}, type));
  ir::Value& normal = normalize_groups(graph, node, &ones, &zeros);
  ir::Value& scale = per_channel(graph, node, 1, "scale", *rank);
  ir::Value& bias = per_channel(graph, node, 2, "bias", *rank);
  ir::Value& scaled = insert_op(graph, node, "scaled", "Mul", {&normal, &scale});
  become(graph, node, "Add", {&scaled, &bias});
}

void decompose_group_norm(ir::Graph& graph, ir::Node& node) {
  ir::Value& whole = normalize_groups(graph, node, node.input(1), node.input(2));
  become(graph, node, "Identity", {&whole});
}

}  // namespace espalier::onnx
