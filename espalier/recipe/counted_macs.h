#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/prune/budget.h"
#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// Height and width of images, where neither the model nor the user says them.
inline constexpr std::int64_t kOpenImageSize = 224;

/// Multiply-accumulates of a graph whose inputs may leave their sizes open.
struct CountedMacs {
  prune::NodeMacs macs;                ///< of every node, in graph order; unknown ones as 0
  std::vector<std::string> uncounted;  ///< layers whose sizes nothing tells
};

/// True when an input leaves another size open than the first, which is the batch.
[[nodiscard]] bool has_open_sizes(const ir::Graph& graph);

/// One sample for the graph's inputs: drawn numbers, `size` in place of open heights and widths.
[[nodiscard]] std::vector<Tensor> sample_of_size(const ir::Graph& graph, std::int64_t size);

/// Counts for inputs of the sample's sizes; where inference does not tell sizes, the graph is run.
/// Throws UserError when the graph does not take inputs of these sizes.
[[nodiscard]] CountedMacs count_macs(const ir::Graph& graph, const std::vector<Tensor>& sample);

/// Throws UserError that names the layers when a budget of MACs has uncounted ones.
void check_counted(const CountedMacs& counted, prune::BudgetKind kind);

}  // namespace espalier::recipe
