#include "espalier/train/not_finite.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/max.h>
#include <fmt/format.h>

#include "espalier/ops/weight.h"

namespace espalier::train {
namespace {

bool has_bad_number(const Tensor& tensor) {
  return tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>();
}

/// Runs a fresh program, one step a node, over the present parameters.
std::string find_bad_node(const ir::Graph& trained, const exec::Program& failed,
                          std::span<const Tensor> inputs) {
  exec::CompileOptions options{.mode = exec::Mode::Training, .fuse = false};
  for (const ir::Node* node : trained.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) options.taps.push_back(output->name());
    }
  }
  exec::Program program = exec::Program::compile(trained, options);
  program.freeze_batch_norm(failed.has_frozen_batch_norm());
  std::string culprit;
  const at::NoGradGuard no_gradients;
  const auto look = [&](std::string_view name, const Tensor& tensor) {
    if (!culprit.empty() || !has_bad_number(tensor)) return;
    culprit = trained.find_value(name)->producer()->label();
  };
  const std::vector<Tensor> outputs = program.run(inputs, look);
  return culprit;
}

/// A loss that is not finite of outputs that are: they are too large for it.
std::string overflowing_loss(const ir::Graph& graph, const exec::Program& program,
                             std::span<const Tensor> inputs) {
  const Tensor output = program.run(inputs).at(0);
  const double largest = output.numel() == 0 ? 0 : output.abs().max().item<double>();
  const ir::Node* layer = graph.outputs().at(0)->producer();
  if (layer == nullptr) return "the loss";
  return fmt::format("the loss, of outputs up to {:.2g} of {}", largest, layer->label());
}

/// A tensor of a program and the node that reads it first.
struct Owned {
  std::string name;
  const ir::Node& reader;
  Tensor tensor;

  [[nodiscard]] std::string label() const {
    return fmt::format("'{}' of {}", name, reader.label());
  }
};

/// Tensors of the map in the order in which the graph's nodes read them.
std::vector<Owned> in_graph_order(const ir::Graph& graph, const exec::TensorMap& tensors) {
  std::vector<Owned> list;
  std::set<std::string> seen;
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* input : node->inputs()) {
      const ir::Value* initializer = input == nullptr ? nullptr : ops::initializer_behind(input);
      if (initializer == nullptr) continue;
      const auto place = tensors.find(initializer->name());
      if (place == tensors.end() || !seen.insert(initializer->name()).second) continue;
      list.push_back({.name = initializer->name(), .reader = *node, .tensor = place->second});
    }
  }
  return list;
}

}  // namespace

std::string find_not_finite(const ir::Graph& graph, const exec::Program& program,
                            std::span<const Tensor> inputs) {
  const at::NoGradGuard no_gradients;
  for (const Tensor& input : inputs) {
    if (has_bad_number(input)) return "the batch";
  }
  for (const Owned& one : in_graph_order(graph, program.parameters())) {
    if (has_bad_number(one.tensor)) return "parameter " + one.label();
  }
  ir::Graph trained = graph.clone();
  program.write_back(trained);
  const std::string culprit = find_bad_node(trained, program, inputs);
  return culprit.empty() ? overflowing_loss(trained, program, inputs) : culprit;
}

std::string find_bad_gradient(const ir::Graph& graph, const exec::Program& program) {
  std::string culprit;
  for (const Owned& one : in_graph_order(graph, program.parameters())) {
    const Tensor& gradient = one.tensor.grad();
    if (gradient.defined() && has_bad_number(gradient)) culprit = "the gradient of " + one.label();
  }
  return culprit;
}

bool has_bad_buffer(const exec::Program& program) {
  return std::ranges::any_of(program.buffers(), [](const auto& named) {
    const Tensor& buffer = named.second;
    if (buffer.scalar_type() != at::kFloat || !buffer.is_non_overlapping_and_dense()) {
      return buffer.is_floating_point() && has_bad_number(buffer);
    }
    const std::span numbers(buffer.const_data_ptr<float>(),
                            static_cast<std::size_t>(buffer.numel()));
    return !std::ranges::all_of(numbers, [](float number) { return std::isfinite(number); });
  });
}

std::string find_bad_state(const ir::Graph& graph, const exec::Program& program) {
  const at::NoGradGuard no_gradients;
  exec::TensorMap tensors = program.parameters();
  tensors.insert(program.buffers().begin(), program.buffers().end());
  for (const Owned& one : in_graph_order(graph, tensors)) {
    if (has_bad_number(one.tensor)) return one.label();
  }
  return "";
}

}  // namespace espalier::train
