#include "espalier/recipe/plan_error.h"

#include <memory>

#include "espalier/base/check.h"
#include "espalier/exec/program.h"
#include "espalier/passes/insert_fake_quantize.h"

namespace espalier::recipe {
namespace {

using Outputs = std::vector<std::vector<Tensor>>;

Outputs run_all(const ir::Graph& graph, const std::vector<std::vector<Tensor>>& batches) {
  const exec::Program program = exec::Program::compile(graph, {});
  Outputs outputs;
  for (const std::vector<Tensor>& batch : batches) outputs.push_back(program.run(batch));
  return outputs;
}

double energy(const Tensor& values) {
  return values.to(at::kDouble).square().sum().item<double>();
}

/// What every measurement shares.
struct Reference {
  ir::Graph graph;
  std::vector<std::vector<Tensor>> batches;
  Outputs outputs;
  double energy = 0;
};

}  // namespace

quant::PlanError output_error(const ir::Graph& prepared, std::vector<std::vector<Tensor>> batches) {
  base::check(!batches.empty(), "cannot measure plans: got no samples");
  // Shared, because a callable must be copyable and graphs are not.
  auto reference = std::make_shared<Reference>(
      Reference{.graph = prepared.clone(), .batches = std::move(batches), .outputs = {}});
  reference->outputs = run_all(reference->graph, reference->batches);
  for (const std::vector<Tensor>& batch : reference->outputs) {
    for (const Tensor& output : batch) {
      if (output.is_floating_point()) reference->energy += energy(output - output.mean());
    }
  }
  return [reference](const quant::QuantPlan& plan) {
    ir::Graph simulated = reference->graph.clone();
    passes::run(simulated, {passes::insert_fake_quantize(plan)});
    const Outputs outputs = run_all(simulated, reference->batches);
    double error = 0;
    for (std::size_t batch = 0; batch < outputs.size(); ++batch) {
      for (std::size_t index = 0; index < outputs[batch].size(); ++index) {
        const Tensor& exact = reference->outputs[batch][index];
        if (exact.is_floating_point()) error += energy(outputs[batch][index] - exact);
      }
    }
    return reference->energy > 0 ? error / reference->energy : error;
  };
}

}  // namespace espalier::recipe
