#include "espalier/analysis/memory.h"

#include <algorithm>
#include <unordered_map>

namespace espalier::analysis {
namespace {

using LastUse = std::unordered_map<const ir::Value*, const ir::Node*>;

LastUse last_uses(const ir::Graph& graph) {
  LastUse last;
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* input : node->inputs()) {
      if (input != nullptr && !input->is_output()) last[input] = node;
    }
  }
  return last;
}

/// Adds up values as they come alive and go.
class Liveness {
 public:
  Liveness(MemoryEstimate& estimate, std::int64_t batch) : estimate_(estimate), batch_(batch) {}

  void begin(const ir::Value& value) {
    const std::int64_t bytes = value_bytes(value, batch_);
    if (bytes < 0) ++estimate_.unknown_values;
    alive_ += std::max<std::int64_t>(bytes, 0);
    estimate_.total_bytes += std::max<std::int64_t>(bytes, 0);
  }

  void end(const ir::Value& value) {
    alive_ -= std::max<std::int64_t>(value_bytes(value, batch_), 0);
  }

  void note_peak(const ir::Node& node) {
    if (alive_ <= estimate_.peak_bytes) return;
    estimate_.peak_bytes = alive_;
    estimate_.peak_node = node.name();
  }

 private:
  MemoryEstimate& estimate_;
  std::int64_t batch_;
  std::int64_t alive_ = 0;
};

/// Distinct inputs that are no initializers and die at this node.
std::vector<const ir::Value*> dying(const ir::Node& node, const LastUse& last) {
  std::vector<const ir::Value*> values;
  for (const ir::Value* input : node.inputs()) {
    if (input == nullptr || input->is_initializer()) continue;
    const auto place = last.find(input);
    if (place == last.end() || place->second != &node) continue;
    if (std::ranges::find(values, input) == values.end()) values.push_back(input);
  }
  return values;
}

}  // namespace

std::int64_t value_bytes(const ir::Value& value, std::int64_t batch) {
  if (!value.type().shape) return -1;
  const std::int64_t element = tensor::element_size(value.type().dtype);
  if (element == 0) return -1;
  tensor::Shape shape = *value.type().shape;
  if (!shape.empty() && !shape[0].known()) shape[0].size = batch;
  const auto elements = tensor::num_elements(shape);
  std::int64_t bytes = 0;
  if (!elements || __builtin_mul_overflow(*elements, element, &bytes)) return -1;
  return bytes;
}

MemoryEstimate estimate_memory(const ir::Graph& graph, std::int64_t batch) {
  MemoryEstimate estimate;
  for (const ir::Value* constant : graph.initializers()) {
    estimate.constant_bytes += std::max<std::int64_t>(value_bytes(*constant), 0);
  }
  const LastUse last = last_uses(graph);
  Liveness liveness(estimate, batch);
  for (const ir::Value* input : graph.inputs()) liveness.begin(*input);
  for (const ir::Node* node : graph.nodes()) {
    for (const ir::Value* output : node->outputs()) {
      if (output != nullptr) liveness.begin(*output);
    }
    liveness.note_peak(*node);
    for (const ir::Value* value : dying(*node, last)) liveness.end(*value);
    for (const ir::Value* output : node->outputs()) {
      const bool unused = output != nullptr && output->uses().empty() && !output->is_output();
      if (unused) liveness.end(*output);
    }
  }
  return estimate;
}

}  // namespace espalier::analysis
