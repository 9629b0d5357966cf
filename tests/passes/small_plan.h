#pragma once

#include <map>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/plan.h"

namespace espalier::passes_test {

/// Quantized values and edges of a hand-made plan.
struct PlanRequest {
  std::vector<std::string> values;             ///< u8, range [-2, 3] unless named otherwise
  std::vector<std::string> non_negative = {};  ///< u8, range [0, 4]
  std::map<std::string, tensor::QuantParams> special = {};
  bool biases = true;
};

/// A plan over the graph: the named activations on every edge that reads them, the constant weights
/// of all layers s8 per output channel, and their biases. `model_id` is left empty.
[[nodiscard]] quant::QuantPlan plan_for(const ir::Graph& graph, const PlanRequest& request);

}  // namespace espalier::passes_test
