#pragma once

#include <functional>
#include <set>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::exec {

/// Nodes that one kernel computes in training: a 2-D Conv, then BatchNormalization, Relu or Clip,
/// and FakeQuantize with one scale; each but the first is optional, each the only user of what
/// comes before it.
struct TrainingRegion {
  const ir::Node* conv = nullptr;
  const ir::Node* batch_norm = nullptr;
  const ir::Node* activation = nullptr;
  const ir::Node* quantizer = nullptr;

  /// The last node: the region runs in its place and gives its output.
  [[nodiscard]] const ir::Node& last() const;
  [[nodiscard]] std::vector<const ir::Node*> nodes() const;
};

/// What the search asks about the graph.
struct TrainingRegionQuestions {
  std::function<bool(const ir::Value&)> is_owned;     ///< parameter or buffer of the program
  std::function<bool(const ir::Value&)> is_constant;  ///< known at compile time
  std::function<bool(const ir::Value&)> is_seen;      ///< tapped or an output: must exist
};

/// The regions of a graph, in the order of their convolutions. Convolutions that pad unevenly form
/// none.
[[nodiscard]] std::vector<TrainingRegion> find_training_regions(
    const ir::Graph& graph, const TrainingRegionQuestions& questions);

/// A Relu that only one quantizer with one scale reads: one kernel computes both.
struct RectifiedQuantizer {
  const ir::Node* relu = nullptr;
  const ir::Node* quantizer = nullptr;
};

/// Those outside of `taken`, which holds the nodes of regions.
[[nodiscard]] std::vector<RectifiedQuantizer> find_rectified_quantizers(
    const ir::Graph& graph, const TrainingRegionQuestions& questions,
    const std::set<const ir::Node*>& taken);

}  // namespace espalier::exec
