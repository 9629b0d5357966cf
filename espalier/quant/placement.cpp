#include "espalier/quant/placement.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "espalier/base/check.h"
#include "espalier/ops/weight.h"
#include "espalier/quant/treatment.h"

namespace espalier::quant {
namespace {

/// Walks back from every value that must be quantized and writes the placement.
class Placer {
 public:
  Placer(const ir::Graph& graph, const Target& target, const PlacementOptions& options)
      : graph_(graph),
        quantized_activation_(formats(target).quantized_activation),
        decisions_(graph, target, options) {
    for (const ir::Value* input : graph.inputs()) order_.push_back(input);
    for (const ir::Node* node : graph.nodes()) {
      for (const ir::Value* output : node->outputs()) {
        if (output != nullptr) order_.push_back(output);
      }
    }
    for (std::size_t index = 0; index < order_.size(); ++index) position_[order_[index]] = index;
    trace_sources();
  }

  Placement place() {
    for (const ir::Node* node : graph_.nodes()) read_quantized(*node);
    while (!pending_.empty()) {
      const ir::Value* value = pending_.back();
      pending_.pop_back();
      follow(*value);
    }
    Placement placement;
    add_groups(placement);
    add_shared(placement);
    for (const ir::Node* node : graph_.nodes()) {
      add_layer(*node, placement);
      add_float(*node, placement);
      for (const ir::Value* constant : decisions_.of(*node).constants) {
        placement.constants.push_back(constant->name());
      }
    }
    for (const auto& [place, edge] : edges_) placement.edges.push_back(edge);
    std::ranges::sort(placement.edges);
    return placement;
  }

 private:
  using EdgePlace = std::pair<const ir::Node*, std::size_t>;

  /// Demands what the node reads, and its result where the engine needs that.
  void read_quantized(const ir::Node& node) {
    const NodeDecision& decision = decisions_.of(node);
    if (decision.merged || decision.treatment == Treatment::Float ||
        decision.treatment == Treatment::SharedScale) {
      return;  // a concatenation is quantized when a reader of its result is
    }
    for (const std::size_t index : decision.reads) add_edge(node, index);
    const ir::Value& anchor = decisions_.anchor(*node.output());
    if (decision.quantized_output || needs_quantized(node, anchor)) force(anchor);
  }

  /// A layer whose engine wants the result of the activation behind it quantized.
  bool needs_quantized(const ir::Node& layer, const ir::Value& anchor) const {
    if (!quantized_activation_ || decisions_.of(layer).treatment != Treatment::Weighted) {
      return false;
    }
    const ir::Node& last = *anchor.producer();
    const bool activated = &last != &layer && !last.is("Add");
    return activated && !decisions_.leaves_graph(anchor);
  }

  void add_edge(const ir::Node& node, std::size_t index) {
    edges_.try_emplace({&node, index}, EdgeKey{.node = node.name(), .index = index});
    demand(*node.input(index));
  }

  /// Every reader takes the quantized form: engines fuse only when the quantizer is alone there.
  void force(const ir::Value& value) {
    demand(value);
    for (const ir::Use& use : value.uses()) add_edge(*use.node, use.index);
    for (std::size_t index = 0; index < graph_.outputs().size(); ++index) {
      if (graph_.outputs()[index] != &value) continue;
      edges_.try_emplace({nullptr, index}, EdgeKey{.node = "", .index = index});
    }
  }

  /// For every value: the one whose elements it holds, and the operator it is the result of.
  void trace_sources() {
    for (const ir::Value* value : order_) {
      const ir::Node* producer = value->producer();
      const bool passed =
          producer != nullptr && decisions_.of(*producer).treatment == Treatment::PassThrough;
      source_[value] = passed ? source_.at(producer->input(0)) : value;
      if (producer != nullptr && decisions_.of(*producer).treatment == Treatment::SharedScale) {
        shared_behind_[&decisions_.anchor(*value)] = producer;
      }
    }
  }

  void demand(const ir::Value& value) {
    if (root_.try_emplace(&value, source_.at(&value)).second) pending_.push_back(&value);
  }

  /// What a quantized value demands of the operator that gives it.
  void follow(const ir::Value& value) {
    if (source_.at(&value) != &value) return add_edge(*value.producer(), 0);
    const auto shared = shared_behind_.find(&value);
    if (shared == shared_behind_.end()) return;
    const NodeDecision& decision = decisions_.of(*shared->second);
    for (const std::size_t index : decision.reads) add_edge(*shared->second, index);
    if (decision.quantized_output) force(value);
  }

  /// True when the reader of an edge only moves elements into the same group.
  bool stays_in_group(const ir::Node* reader, const ir::Value* root) const {
    if (reader == nullptr || decisions_.of(*reader).treatment != Treatment::PassThrough) {
      return false;
    }
    return std::ranges::any_of(reader->outputs(), [&](const ir::Value* output) {
      const auto place = root_.find(output);
      return place != root_.end() && place->second == root;
    });
  }

  void add_groups(Placement& placement) {
    for (const ir::Value* value : order_) {
      const auto place = root_.find(value);
      if (place == root_.end()) continue;
      const ir::Value* root = place->second;
      const auto [found, fresh] = group_of_.try_emplace(root, placement.groups.size());
      if (fresh) {
        placement.groups.push_back({.values = {}, .observed = {}, .bounds = {}});
        placement.groups.back().bounds = decisions_.bounds(*root);
      }
      placement.groups[found->second].values.push_back(value->name());
    }
    std::set<std::size_t> observed;
    for (const auto& [edge, key] : edges_) {
      const ir::Value* value =
          edge.first == nullptr ? graph_.outputs()[edge.second] : edge.first->input(edge.second);
      if (!stays_in_group(edge.first, root_.at(value))) observed.insert(position_.at(value));
    }
    for (const std::size_t index : observed) {
      ValueGroup& group = placement.groups[group_of_.at(root_.at(order_[index]))];
      group.observed.push_back(order_[index]->name());
    }
    for (ValueGroup& group : placement.groups) {
      if (group.observed.empty()) group.observed.push_back(group.values.front());
    }
  }

  void add_shared(Placement& placement) const {
    for (const ir::Node* node : graph_.nodes()) {
      const NodeDecision& decision = decisions_.of(*node);
      if (decision.treatment != Treatment::SharedScale) continue;
      const ir::Value& result = decisions_.anchor(*node->output());
      if (!root_.contains(&result)) continue;
      SharedGroups shared{.node = node->name(), .groups = {}};
      for (const std::size_t index : decision.reads) {
        shared.groups.push_back(group_of_.at(root_.at(node->input(index))));
      }
      shared.groups.push_back(group_of_.at(root_.at(&result)));
      placement.shared.push_back(std::move(shared));
    }
  }

  void add_layer(const ir::Node& node, Placement& placement) const {
    const NodeDecision& decision = decisions_.of(node);
    if (decision.treatment != Treatment::Weighted) return;
    const ir::Value* bias = ops::bias_initializer(node);
    placement.layers.push_back({.node = node.name(),
                                .input = node.input(decision.reads.front())->name(),
                                .weight = node.input(*ops::weight_port(node))->name(),
                                .axis = ops::weight_axis(node).value_or(-1),
                                .bias = bias == nullptr ? "" : bias->name()});
  }

  void add_float(const ir::Node& node, Placement& placement) const {
    const NodeDecision& decision = decisions_.of(node);
    const bool reported = decision.treatment == Treatment::Float && decision.computes_floats;
    const bool idle = decision.treatment == Treatment::SharedScale &&
                      !root_.contains(&decisions_.anchor(*node.output()));
    if (!reported && !idle) return;
    placement.float_nodes.push_back(
        {.node = node.name(),
         .op = node.op(),
         .reason = idle ? "nothing reads its result quantized" : decision.reason,
         .asked = decision.asked});
  }

  const ir::Graph& graph_;
  bool quantized_activation_;
  Decisions decisions_;
  std::vector<const ir::Value*> order_;
  std::unordered_map<const ir::Value*, std::size_t> position_;
  std::unordered_map<const ir::Value*, const ir::Value*> source_;
  std::unordered_map<const ir::Value*, const ir::Node*> shared_behind_;
  std::vector<const ir::Value*> pending_;
  /// Quantized values and the value whose parameters they have.
  std::unordered_map<const ir::Value*, const ir::Value*> root_;
  std::unordered_map<const ir::Value*, std::size_t> group_of_;
  std::map<EdgePlace, EdgeKey> edges_;
};

}  // namespace

Placement place_quantizers(const ir::Graph& graph, const Target& target,
                           const PlacementOptions& options) {
  return Placer(graph, target, options).place();
}

}  // namespace espalier::quant
