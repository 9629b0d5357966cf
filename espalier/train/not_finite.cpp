#include "espalier/train/not_finite.h"

#include <vector>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

namespace espalier::train {
namespace {

bool has_bad_number(const Tensor& tensor) {
  return tensor.is_floating_point() && !at::isfinite(tensor).all().item<bool>();
}

/// Runs a fresh program, one step a node, over the present parameters.
std::string find_bad_node(const ir::Graph& trained, std::span<const Tensor> inputs) {
  exec::CompileOptions options{.mode = exec::Mode::Training, .fuse = false};
  for (const ir::Node* node : trained.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) options.taps.push_back(output->name());
    }
  }
  const exec::Program program = exec::Program::compile(trained, options);
  std::string culprit;
  const at::NoGradGuard no_gradients;
  const auto look = [&](std::string_view name, const Tensor& tensor) {
    if (!culprit.empty() || !has_bad_number(tensor)) return;
    culprit = trained.find_value(name)->producer()->label();
  };
  const std::vector<Tensor> outputs = program.run(inputs, look);
  return culprit;
}

}  // namespace

std::string find_not_finite(const ir::Graph& graph, const exec::Program& program,
                            std::span<const Tensor> inputs) {
  const at::NoGradGuard no_gradients;
  for (const Tensor& input : inputs) {
    if (has_bad_number(input)) return "the batch";
  }
  for (const auto& [name, tensor] : program.parameters()) {
    if (has_bad_number(tensor)) return fmt::format("parameter '{}'", name);
  }
  ir::Graph trained = graph.clone();
  program.write_back(trained);
  const std::string culprit = find_bad_node(trained, inputs);
  return culprit.empty() ? "the loss" : culprit;
}

}  // namespace espalier::train
