#pragma once

#include <string_view>

#include "espalier/ir/graph.h"
#include "espalier/passes/insert_training_quantizers.h"
#include "espalier/quant/plan.h"

namespace espalier::passes_test {

/// A small network with BatchNormalization behind every convolution, its plan, and the graph to
/// train.
struct TrainingCase {
  ir::Graph model;
  quant::QuantPlan plan;  ///< for the prepared model
  ir::Graph training;
};

/// Convolutions, one depthwise, BatchNormalization (one gamma negative), Relu, Clip, a residual
/// sum, Gemm; input "x" [N, 3, 8, 8], output "y" [N, 5].
[[nodiscard]] TrainingCase training_case(const passes::TrainingQuantizers& options);

/// ConvTranspose with BatchNormalization and Relu, and Conv; input "x" [N, 3, 8, 8]. The plan has
/// one scale for the weight of "up".
[[nodiscard]] TrainingCase transposed_case(std::string_view target, passes::BatchNormForm form);

/// The graph after some steps of gradient descent, in float64, written back. `frozen`:
/// BatchNormalization keeps its statistics.
void train_a_little(ir::Graph& graph, bool frozen = false);

/// The output of the graph as training programs evaluate it (float64).
[[nodiscard]] Tensor evaluate(const ir::Graph& graph);
/// The output of the graph as inference programs compute it (float64).
[[nodiscard]] Tensor infer(const ir::Graph& graph);

}  // namespace espalier::passes_test
