#include "espalier/exec/constants.h"

#include <algorithm>

#include <c10/core/GradMode.h>

#include "espalier/exec/kernels/table.h"
#include "espalier/exec/placement.h"
#include "espalier/exec/step.h"

namespace espalier::exec {
namespace {

/// Operators whose result differs from call to call.
bool is_random(const ir::Node& node, const CompileOptions& options) {
  return node.is("Dropout") && options.mode == Mode::Training;
}

bool all_known(const ir::Node& node, const ConstantMap& known) {
  return std::all_of(node.inputs().begin(), node.inputs().end(), [&](const ir::Value* input) {
    return input == nullptr || known.contains(input);
  });
}

void fold(const ir::Node& node, ConstantMap& known, const CompileOptions& options) {
  KernelRequest request{
      .node = node, .options = options, .constants = {}, .num_outputs = node.outputs().size()};
  for (const ir::Value* input : node.inputs()) {
    request.constants.push_back(input == nullptr ? Tensor() : known.at(input));
  }
  Step step;
  step.label = node.label();
  step.kernel = make_named(node, [&] { return find_operator(node)->make(request); });
  std::vector<Tensor> inputs = request.constants;
  std::vector<Tensor> outputs(node.outputs().size());
  Call call{.inputs = inputs, .outputs = outputs};
  run_step(step, call, options);
  for (std::size_t index = 0; index < outputs.size(); ++index) {
    if (node.output(index) != nullptr) known[node.output(index)] = outputs[index];
  }
}

}  // namespace

CompileOptions host_options(const CompileOptions& options) {
  CompileOptions host = options;
  host.device = at::kCPU;
  const bool wide = options.dtype == tensor::DType::Float64;
  host.dtype = wide ? tensor::DType::Float64 : tensor::DType::Float32;
  return host;
}

Tensor convert(const Tensor& tensor, const CompileOptions& options) {
  const bool change = tensor.is_floating_point();
  return tensor.to(options.device,
                   change ? *tensor::to_scalar_type(options.dtype) : tensor.scalar_type());
}

ConstantMap fold_constants(const ir::Graph& graph, const std::set<const ir::Node*>& live,
                           const ParameterSet& owned, const CompileOptions& options) {
  const c10::AutoGradMode no_gradients(false);
  const CompileOptions host = host_options(options);
  ConstantMap known;
  for (const ir::Value* initializer : graph.initializers()) {
    if (!owned.contains(*initializer)) {
      known[initializer] = convert(initializer->constant(), host);
    }
  }
  for (const ir::Node* node : graph.nodes()) {
    if (live.contains(node) && all_known(*node, known) && !is_random(*node, options)) {
      fold(*node, known, host);
    }
  }
  return known;
}

}  // namespace espalier::exec
