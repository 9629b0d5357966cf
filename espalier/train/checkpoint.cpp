#include "espalier/train/checkpoint.h"

#include "espalier/base/check.h"
#include "espalier/base/file.h"
#include "espalier/ir/verifier.h"
#include "espalier/onnx/codec.h"
#include "espalier/report/json.h"
#include "espalier/train/container.h"
#include "espalier/train/state_text.h"

namespace espalier::train {
namespace {

constexpr std::string_view kGraph = "graph";
constexpr std::string_view kOrder = "initializers";
constexpr std::string_view kWeights = "weights";
constexpr std::string_view kSlots = "slots";
constexpr std::string_view kState = "state";

/// Weights go to the safetensors section. Scalars and integers (limits, shapes) are part of the
/// architecture and stay in the ONNX section, where importing looks at them.
bool is_weight(const ir::Value& initializer) {
  return initializer.constant().dim() > 0 && initializer.constant().is_floating_point();
}

/// Puts `image` in the place of `value` under its name.
template <typename Make>
void exchange(ir::Graph& graph, ir::Value& value, const Make& make) {
  const std::string name = value.name();
  graph.rename(value, graph.unique_value_name(name + ".replaced"));
  graph.replace_all_uses(value, make(name));
  graph.erase(value);
}

/// A copy of the graph whose weights are graph inputs of the same name and type.
ir::Graph without_weights(const ir::Graph& graph) {
  ir::Graph copy = graph.clone();
  for (ir::Value* value : copy.initializers()) {
    if (!is_weight(*value)) continue;
    const ir::TypeInfo type = value->type();
    exchange(copy, *value,
             [&](const std::string& name) -> ir::Value& { return copy.add_input(name, type); });
  }
  return copy;
}

std::string order_text(const ir::Graph& graph) {
  report::Json names = report::Json::array();
  for (const ir::Value* value : graph.initializers()) names.push_back(value->name());
  return report::to_text(names, -1);
}

std::string encode_graph(const ir::Graph& graph) {
  const auto opset = graph.opsets.find("");
  onnx::EncodeOptions options;
  if (opset != graph.opsets.end()) options.opset = opset->second;
  return onnx::encode(without_weights(graph), options);
}

/// Reads the sections of one container; every refusal names it.
class CheckpointReader {
 public:
  CheckpointReader(std::string_view bytes, std::string_view source)
      : container_(decode_container(bytes, source)), source_(source) {}

  Checkpoint read() {
    check_names();
    Checkpoint checkpoint{.graph = read_graph(), .state = {}, .slots = {}};
    if (container_.sections.contains(kState)) {
      checkpoint.state = state_from_text(section(kState), source_);
    }
    if (container_.sections.contains(kSlots)) checkpoint.slots = tensors(kSlots);
    return checkpoint;
  }

 private:
  [[noreturn]] void fail(std::string where, std::string got, std::string expected) const {
    throw base::UserError({.what = fmt::format("cannot read the checkpoint '{}'", source_),
                           .where = std::move(where),
                           .got = std::move(got),
                           .expected = std::move(expected)});
  }

  void check_names() const {
    for (const auto& [name, bytes] : container_.sections) {
      const bool known =
          name == kGraph || name == kOrder || name == kWeights || name == kSlots || name == kState;
      if (!known) {
        fail("table of sections", fmt::format("'{}'", name),
             "graph, initializers, weights, slots or state");
      }
    }
  }

  [[nodiscard]] std::string_view section(std::string_view name) const {
    const auto place = container_.sections.find(name);
    if (place == container_.sections.end()) {
      fail("table of sections", fmt::format("no '{}'", name), "one");
    }
    return place->second;
  }

  [[nodiscard]] weights::TensorMap tensors(std::string_view name) const {
    return weights::decode_safetensors(section(name), fmt::format("{}, {}", source_, name)).tensors;
  }

  [[nodiscard]] ir::Graph read_graph() const {
    ir::Graph graph = onnx::decode(section(kGraph), {.name = std::string(source_)});
    const weights::TensorMap weights = tensors(kWeights);
    const report::Json order = report::parse_json(section(kOrder), source_);
    std::size_t used = 0;
    for (const report::Json& entry : order.items()) {
      const std::string& name = entry.as_string();
      ir::Value* value = graph.find_value(name);
      if (value == nullptr || value->producer() != nullptr || value->is_output()) {
        fail(fmt::format("initializer '{}'", name), "no such value in the graph", "one");
      }
      const auto tensor = weights.find(name);
      if (tensor == weights.end() && !value->is_initializer()) {
        fail(fmt::format("initializer '{}'", name), "no tensor", "one");
      }
      Tensor constant = tensor == weights.end() ? value->constant() : tensor->second;
      check_type(*value, constant);
      used += tensor == weights.end() ? 0 : 1;
      exchange(graph, *value, [&](const std::string& same) -> ir::Value& {
        return graph.add_initializer(same, std::move(constant));
      });
    }
    if (used != weights.size()) {
      fail("section 'weights'", fmt::format("{} tensors", weights.size()),
           fmt::format("the {} of the graph", used));
    }
    ir::verify_or_throw(graph, "reading a checkpoint");
    return graph;
  }

  void check_type(const ir::Value& value, const Tensor& constant) const {
    const ir::TypeInfo actual{.dtype = tensor::from_scalar_type(constant.scalar_type()),
                              .shape = tensor::make_shape(constant.sizes().vec())};
    if (value.type() == actual) return;
    fail(fmt::format("initializer '{}'", value.name()),
         fmt::format("{} {}", tensor::to_string(actual.dtype), tensor::to_string(*actual.shape)),
         fmt::format("{} {}", tensor::to_string(value.type().dtype),
                     tensor::to_string(value.type().shape.value_or(tensor::Shape{}))));
  }

  Container container_;
  std::string_view source_;
};

}  // namespace

std::string encode_checkpoint(const Checkpoint& checkpoint) {
  weights::TensorMap tensors;
  for (const ir::Value* value : checkpoint.graph.initializers()) {
    if (is_weight(*value)) tensors.emplace(value->name(), value->constant());
  }
  std::vector<Section> sections{
      {.name = std::string(kGraph), .bytes = encode_graph(checkpoint.graph)},
      {.name = std::string(kOrder), .bytes = order_text(checkpoint.graph)},
      {.name = std::string(kWeights), .bytes = weights::encode_safetensors(tensors)}};
  if (checkpoint.state) {
    sections.push_back({.name = std::string(kState), .bytes = state_to_text(*checkpoint.state)});
  }
  if (checkpoint.state || !checkpoint.slots.empty()) {
    sections.push_back(
        {.name = std::string(kSlots), .bytes = weights::encode_safetensors(checkpoint.slots)});
  }
  return encode_container(sections);
}

Checkpoint decode_checkpoint(std::string_view bytes, std::string_view source) {
  return CheckpointReader(bytes, source).read();
}

Checkpoint read_checkpoint(const std::filesystem::path& path) {
  return decode_checkpoint(base::read_file(path), path.string());
}

void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint) {
  base::write_file_atomic(path, encode_checkpoint(checkpoint));
}

}  // namespace espalier::train
