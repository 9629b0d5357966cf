#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/ops/facts.h"
#include "espalier/quant/placement.h"
#include "espalier/quant/target.h"

namespace espalier::quant {

/// What becomes of one node on a target, after conditions and options.
struct NodeDecision {
  Treatment treatment = Treatment::Float;
  bool quantized_output = false;
  bool inner_only = false;                 ///< stays float when its result is a graph output
  std::vector<std::size_t> reads = {};     ///< inputs to read quantized
  std::vector<ir::Value*> constants = {};  ///< constant operands to quantize
  std::string reason = {};                 ///< for Float: why
  bool asked = false;                      ///< for Float: an option of the user says so
  bool merged = false;                     ///< an Activation that is part of the node before it
  bool computes_floats = true;             ///< false: shapes, integers; not worth a report
};

/// The decision for every node of a graph.
class Decisions {
 public:
  Decisions(const ir::Graph& graph, const Target& target, const PlacementOptions& options);

  [[nodiscard]] const NodeDecision& of(const ir::Node& node) const { return table_.at(&node); }
  /// The value behind all activations that merge with the producer of `value`.
  [[nodiscard]] const ir::Value& anchor(const ir::Value& value) const;
  /// Bounds of an anchor: those of the last merged activation, infinite without one.
  [[nodiscard]] ops::OutputRange bounds(const ir::Value& anchor) const;
  /// True when nothing but the outside reads the value, or what only moves its elements.
  [[nodiscard]] bool leaves_graph(const ir::Value& value) const;

 private:
  void decide(const ir::Node& node, const PlacementOptions& options, const Target& target);
  void decide_weighted(const ir::Node& node, NodeDecision& decision,
                       const PlacementOptions& options);
  void decide_inputs(const ir::Node& node, NodeDecision& decision);
  [[nodiscard]] std::optional<std::size_t> fused_addend(const ir::Node& node) const;
  void measure_depths(const ir::Graph& graph);
  void refuse_shared_weights(const ir::Graph& graph);
  void activate(const ir::Graph& graph);
  void merge_activations(const ir::Value& value);
  [[nodiscard]] bool without_weights(const ir::Node& node, NodeDecision& decision, bool reached);
  [[nodiscard]] const ir::Value* merged_successor(const ir::Value& value) const;
  [[nodiscard]] bool from_graph_input(const ir::Value& value) const;
  [[nodiscard]] NodeDecision& at(const ir::Node& node) { return table_.at(&node); }

  std::unordered_map<const ir::Node*, NodeDecision> table_;
  /// Layers with weights on the longest way from a graph input to the value.
  std::unordered_map<const ir::Value*, std::size_t> depth_;
};

}  // namespace espalier::quant
