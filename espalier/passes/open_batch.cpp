#include "espalier/passes/open_batch.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr const char* kFixedBatch = "espalier.fixed_batch";  ///< in the metadata
constexpr const char* kSymbol = "opened_batch";
constexpr std::size_t kTarget = 1;  ///< of Reshape and Expand
constexpr std::size_t kSizes = 3;   ///< of Resize

const tensor::Dim* first_dim(const ir::Value& value) {
  const auto& shape = value.type().shape;
  return shape && !shape->empty() ? &shape->front() : nullptr;
}

bool is_open(const ir::Value& value) {
  const auto& shape = value.type().shape;
  return shape && !std::ranges::all_of(*shape, &tensor::Dim::known);
}

void set_first_size(ir::Value& input, const tensor::Dim& dim) {
  ir::TypeInfo type = input.type();
  type.shape->front() = dim;
  input.set_type(std::move(type));
}

/// Types from the inputs' types alone.
void infer_anew(ir::Graph& graph) {
  for (ir::Node* node : graph.nodes()) {
    for (ir::Value* output : node->outputs()) {
      if (output != nullptr) output->set_type({.dtype = output->type().dtype, .shape = {}});
    }
  }
  onnx::infer_shapes(graph);
}

class Opening {
 public:
  Opening(ir::Graph& graph, std::int64_t batch) : graph_(graph), batch_(batch) {}

  void apply() {
    for (ir::Value* input : graph_.inputs()) {
      const tensor::Dim* dim = first_dim(*input);
      if (dim != nullptr && dim->known()) set_first_size(*input, {.size = {}, .symbol = kSymbol});
    }
    do infer_anew(graph_);
    while (open_some());
    for (const ir::Value* output : graph_.outputs()) check(*output);
    graph_.metadata[kFixedBatch] = fmt::format("{}", batch_);
  }

 private:
  /// Mends nodes that were written for the batch; true when there were some.
  bool open_some() {
    bool changed = false;
    for (ir::Node* node : graph_.nodes()) {
      if (node->inputs().empty() || node->input(0) == nullptr || !is_open(*node->input(0)))
        continue;
      if (node->is("Reshape")) changed |= open_reshape(*node);
      if (node->is("Expand")) changed |= open_expand(*node);
      if (node->is("Resize")) changed |= open_resize(*node);
    }
    return changed;
  }

  bool open_reshape(ir::Node& node) {
    auto target = constant_ints(node.input(kTarget));
    const tensor::Dim* result = first_dim(*node.output());
    const bool keeps = target && !target->empty() && result != nullptr && result->known();
    if (!keeps) return false;
    const bool has_rest = std::ranges::find(*target, -1) != target->end();
    const tensor::Dim* dim = first_dim(*node.input(0));
    const bool copies = target->front() == batch_ && dim != nullptr && !dim->known() &&
                        node.get_int("allowzero", 0) == 0;
    if (copies && (has_rest || dim->symbol == kSymbol)) {
      target->front() = 0;
    } else if (!has_rest) {
      target->front() = -1;
    } else {
      return false;
    }
    replace_constant(graph_, node, kTarget, at::tensor(*target));
    return true;
  }

  bool open_expand(ir::Node& node) {
    auto target = constant_ints(node.input(kTarget));
    const bool written = target && !target->empty() && target->front() == batch_ && batch_ != 1;
    if (!written || is_open(*node.output())) return false;
    target->front() = 1;
    replace_constant(graph_, node, kTarget, at::tensor(*target));
    return true;
  }

  bool open_resize(ir::Node& node) {
    const auto sizes = constant_ints(node.input(kSizes));
    const bool all_axes = sizes && sizes->size() == node.input(0)->type().shape->size();
    if (!all_axes || node.has("axes") || sizes->front() != batch_) return false;
    const auto constant = [&](const std::string& suffix, const ir::Ints& numbers) {
      const std::string name = graph_.unique_value_name(node.output()->name() + suffix);
      return &graph_.add_initializer(name, at::tensor(numbers));
    };
    const auto add = [&](std::string op, std::vector<ir::Value*> inputs, ir::Attributes attributes,
                         const std::string& suffix) {
      const std::string name = node.output()->name() + suffix;
      return graph_
          .insert_before(node, {.op = std::move(op),
                                .inputs = std::move(inputs),
                                .outputs = {graph_.unique_value_name(name)},
                                .attributes = std::move(attributes),
                                .name = graph_.unique_node_name(name)})
          .output();
    };
    ir::Value* shape = add("Shape", {node.input(0)}, {}, "_shape");
    ir::Value* first =
        add("Slice", {shape, constant("_from", {0}), constant("_to", {1})}, {}, "_batch");
    ir::Value* rest = constant("_rest", {sizes->begin() + 1, sizes->end()});
    graph_.set_input(node, kSizes,
                     add("Concat", {first, rest}, {{"axis", std::int64_t{0}}}, "_sizes"));
    return true;
  }

  /// The first node that gives the batch's size whatever it is given.
  [[nodiscard]] const ir::Node* culprit() const {
    for (const ir::Node* node : std::as_const(graph_).nodes()) {
      const ir::Value* input = node->inputs().empty() ? nullptr : node->input(0);
      if (input == nullptr || !is_open(*input) || node->is("Shape")) continue;
      const tensor::Dim* dim = first_dim(*node->output());
      if (dim != nullptr && dim->size == batch_) return node;
    }
    return nullptr;
  }

  void check(const ir::Value& output) const {
    const tensor::Dim* dim = first_dim(output);
    if (dim != nullptr && !dim->known()) return;
    const ir::Node* node = culprit();
    throw base::UnsupportedError(
        {.what = fmt::format("cannot open the batch of {} that the model fixes", batch_),
         .where = node == nullptr ? fmt::format("output '{}'", output.name()) : node->label(),
         .got = "a result of that size whatever the batch is",
         .hint = "export the model with an open batch"});
  }

  ir::Graph& graph_;
  std::int64_t batch_;
};

/// The first size that all inputs fix; nothing where none does.
std::optional<std::int64_t> common_batch(const ir::Graph& graph) {
  std::optional<std::int64_t> batch;
  for (const ir::Value* input : graph.inputs()) {
    const tensor::Dim* dim = first_dim(*input);
    // Exporters write 0 for a size that is not known.
    if (dim == nullptr || !dim->known() || dim->size == 0) continue;
    if (batch && batch != dim->size) {
      throw base::UnsupportedError({.what = "cannot open the batch that the model fixes",
                                    .where = fmt::format("input '{}'", input->name()),
                                    .got = fmt::format("{}", *dim->size),
                                    .expected = fmt::format("{}, as the others have", *batch)});
    }
    batch = dim->size;
  }
  return batch;
}

std::size_t open_batch_in(ir::Graph& graph) {
  const auto batch = common_batch(graph);
  if (!batch) return 0;
  Opening(graph, *batch).apply();
  return 1;
}

std::size_t close_batch_in(ir::Graph& graph) {
  const auto note = graph.metadata.find(kFixedBatch);
  if (note == graph.metadata.end()) return 0;
  std::int64_t batch = 0;
  const std::string& text = note->second;
  std::from_chars(text.data(), text.data() + text.size(), batch);
  graph.metadata.erase(kFixedBatch);
  if (batch < 1) return 0;
  std::size_t changes = 0;
  for (ir::Value* input : graph.inputs()) {
    const tensor::Dim* dim = first_dim(*input);
    if (dim == nullptr || dim->symbol != kSymbol) continue;
    set_first_size(*input, {.size = batch, .symbol = {}});
    ++changes;
  }
  if (changes != 0) infer_anew(graph);
  return changes;
}

}  // namespace

Pass open_batch() {
  return {.name = "open_batch", .apply = open_batch_in};
}

Pass close_batch() {
  return {.name = "close_batch", .apply = close_batch_in};
}

}  // namespace espalier::passes
