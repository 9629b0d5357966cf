#include "espalier/passes/settle_quantizers.h"

#include <c10/core/GradMode.h>

#include "espalier/base/error.h"
#include "espalier/exec/kernels/trained_quantizer.h"
#include "espalier/ops/estimator.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

void settle(ir::Graph& graph, ir::Node& node) {
  const exec::QuantizerSettings settings = exec::quantizer_settings(node);
  const exec::QuantizerTensors tensors = exec::quantizer_tensors(node);
  const bool frozen = node.get_int("frozen", 0) != 0;
  exec::QuantizerStep step(settings, tensors, {.training = false, .frozen = frozen});
  if (step.looks_first()) {
    const Tensor* weight = constant_of(node.input(ops::kQuantizedValue));
    if (weight == nullptr) {
      throw base::UserError({.what = "cannot settle a quantizer",
                             .where = node.label(),
                             .got = "a scale that follows a computed value",
                             .expected = "a constant weight"});
    }
    (void)exec::train_quantize(*weight, step);
  }
  const std::vector<exec::simd::QuantizerForm> forms = step.forms();
  Tensor scale = tensors.scale.clone();
  for (std::size_t index = 0; index < forms.size(); ++index) {
    scale.mutable_data_ptr<float>()[index] = forms[index].scale;
  }
  Tensor zero = tensors.zero_point.to(at::kInt);
  if (settings.axis < 0) {
    scale = scale.reshape({});
    zero = zero.reshape({});
  }
  replace_constant(graph, node, ops::kScale, scale);
  replace_constant(graph, node, ops::kZeroPoint, zero);
  graph.truncate_inputs(node, ops::kEstimatorState);
  node.set(std::string(kTrainedBy), node.get_string("estimator", ""));
  for (const char* attribute : {"estimator", "role", "rate", "symmetric", "frozen"})
    node.remove(attribute);
}

std::size_t settle_quantizers_in(ir::Graph& graph) {
  const c10::AutoGradMode no_gradients(false);
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!is_fake_quantize(*node) || ops::estimator_of(*node) == nullptr) continue;
    settle(graph, *node);
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass settle_quantizers() {
  return {.name = "settle_quantizers", .apply = settle_quantizers_in};
}

}  // namespace espalier::passes
