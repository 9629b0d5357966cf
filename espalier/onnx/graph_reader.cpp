#include "espalier/onnx/graph_reader.h"

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/onnx/attribute_codec.h"
#include "espalier/onnx/constant_node.h"
#include "espalier/onnx/subgraph.h"
#include "espalier/onnx/tensor_codec.h"
#include "espalier/onnx/value_type.h"

namespace espalier::onnx {
namespace {

using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;

std::string label(const NodeProto& node) {
  return fmt::format("node '{}' ({})",
                     node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name(),
                     node.op_type());
}

/// Everything a node reads: its inputs and what its subgraphs capture.
std::set<std::string> names_read(const NodeProto& node) {
  std::set<std::string> names = captured_names(node);
  names.insert(node.input().begin(), node.input().end());
  names.erase("");
  return names;
}

class GraphReader {
 public:
  GraphReader(ModelProto& model, const DecodeOptions& options)
      : model_(model), proto_(*model.mutable_graph()), options_(options) {}

  ir::Graph read() {
    read_facts();
    reserve_node_names();
    read_constants();
    read_inputs();
    for (const int index : topological_order()) read_node(*proto_.mutable_node(index));
    read_declared_types();
    read_outputs();
    return std::move(graph_);
  }

 private:
  [[noreturn]] void refuse(std::string where, std::string got, std::string expected = {}) const {
    throw base::UserError({.what = fmt::format("cannot read the model '{}'", options_.name),
                           .where = std::move(where),
                           .got = std::move(got),
                           .expected = std::move(expected)});
  }

  void read_facts() {
    graph_.name = proto_.name().empty() ? "model" : proto_.name();
    graph_.producer = model_.producer_name();
    if (!model_.producer_version().empty()) graph_.producer += " " + model_.producer_version();
    graph_.documentation = model_.doc_string();
    for (const auto& entry : model_.metadata_props()) graph_.metadata[entry.key()] = entry.value();
    for (const auto& output : proto_.output()) output_names_.insert(output.name());
    for (const auto& import : model_.opset_import()) {
      graph_.opsets[import.domain()] = import.version();
    }
  }

  /// Given names win over generated ones, wherever they stand.
  void reserve_node_names() {
    for (const NodeProto& node : proto_.node()) {
      if (node.name().empty()) continue;
      if (!node_names_.insert(node.name()).second) {
        refuse(label(node), "two nodes of this name", "unique names");
      }
    }
  }

  std::string new_node_name(const std::string& stem) {
    std::string name = stem;
    int& suffix = last_suffix_[stem];  // a file of unnamed nodes asks for the same stem each time
    while (!node_names_.insert(name).second) name = fmt::format("{}_{}", stem, ++suffix);
    return name;
  }

  void read_constants() {
    for (auto& tensor : *proto_.mutable_initializer()) {
      if (tensor.name().empty()) refuse("an initializer", "an empty name", "a name");
      constants_.insert(tensor.name());
      auto constant =
          read_tensor(tensor, options_.folder, fmt::format("initializer '{}'", tensor.name()));
      if (constant) {
        graph_.add_initializer(checked_new_name(tensor.name()), *std::move(constant));
      } else {
        ::onnx::AttributeProto attribute;
        attribute.set_name("value");
        attribute.set_type(::onnx::AttributeProto::TENSOR);
        attribute.mutable_t()->Swap(&tensor);
        add_opaque_constant(attribute, attribute.t().name());
      }
      // The bytes live in the graph now; clearing a field would keep its memory.
      ::onnx::TensorProto().Swap(&tensor);
    }
    for (const auto& tensor : proto_.sparse_initializer()) {
      const std::string& name = tensor.values().name();
      if (name.empty()) refuse("a sparse initializer", "an empty name", "a name");
      constants_.insert(name);
      ::onnx::AttributeProto attribute;
      attribute.set_name("sparse_value");
      attribute.set_type(::onnx::AttributeProto::SPARSE_TENSOR);
      *attribute.mutable_sparse_tensor() = tensor;
      add_opaque_constant(attribute, name);
    }
  }

  void add_opaque_constant(const ::onnx::AttributeProto& attribute, const std::string& name) {
    ir::Node& node = graph_.add_node({.op = "Constant",
                                      .outputs = {""},
                                      .attributes = {{attribute.name(), make_opaque(attribute)}},
                                      .name = new_node_name("Constant_" + name)});
    graph_.rename(*node.output(), checked_new_name(name));
  }

  /// A name for a new value: renaming to a taken name would blame the wrong thing.
  const std::string& checked_new_name(const std::string& name) const {
    if (graph_.find_value(name) != nullptr) {
      refuse(fmt::format("value '{}'", name), "two values of this name", "unique names");
    }
    return name;
  }

  void read_inputs() {
    for (const auto& input : proto_.input()) {
      if (constants_.contains(input.name())) continue;
      if (!input.type().has_tensor_type()) {
        throw base::UnsupportedError(
            {.what = fmt::format("cannot read the model '{}'", options_.name),
             .where = fmt::format("input '{}'", input.name()),
             .got = "an input that is no tensor",
             .hint = "export the model with tensor inputs"});
      }
      const ir::TypeInfo type = read_type(input.type());
      if (type.dtype == tensor::DType::Undefined) {
        refuse(fmt::format("input '{}'", input.name()), "no element type", "a type of ONNX");
      }
      graph_.add_input(checked_new_name(input.name()), type);
    }
  }

  /// Order in which producers come before users, keeping the file's order where it can.
  std::vector<int> topological_order() {
    std::unordered_map<std::string, int> producers;
    for (int index = 0; index < proto_.node_size(); ++index) {
      for (const std::string& output : proto_.node(index).output()) {
        if (output.empty()) continue;
        if (graph_.find_value(output) != nullptr || !producers.emplace(output, index).second) {
          refuse(label(proto_.node(index)), fmt::format("a second value '{}'", output),
                 "unique names");
        }
      }
    }
    const auto count = static_cast<std::size_t>(proto_.node_size());
    std::vector<std::vector<int>> users(count);
    std::vector<int> missing(count, 0);
    for (int index = 0; index < proto_.node_size(); ++index) {
      for (const std::string& name : names_read(proto_.node(index))) {
        const auto producer = producers.find(name);
        if (producer != producers.end()) {
          users[static_cast<std::size_t>(producer->second)].push_back(index);
          ++missing[static_cast<std::size_t>(index)];
        } else if (graph_.find_value(name) == nullptr) {
          refuse(label(proto_.node(index)), fmt::format("the input '{}'", name),
                 "an input, an initializer or the output of a node");
        }
      }
    }
    return sorted(users, missing);
  }

  std::vector<int> sorted(const std::vector<std::vector<int>>& users, std::vector<int>& missing) {
    std::priority_queue<int, std::vector<int>, std::greater<>> ready;
    for (std::size_t index = 0; index < missing.size(); ++index) {
      if (missing[index] == 0) ready.push(static_cast<int>(index));
    }
    std::vector<int> order;
    while (!ready.empty()) {
      const int next = ready.top();
      ready.pop();
      order.push_back(next);
      for (const int user : users[static_cast<std::size_t>(next)]) {
        if (--missing[static_cast<std::size_t>(user)] == 0) ready.push(user);
      }
    }
    if (order.size() == missing.size()) return order;
    const auto stuck = std::ranges::find_if(missing, [](int count) { return count > 0; });
    refuse(label(proto_.node(static_cast<int>(stuck - missing.begin()))),
           "a node that needs its own output", "a graph without cycles");
  }

  void read_node(NodeProto& node) {
    const std::string where = label(node);
    if (node.op_type().empty()) refuse(where, "no operator", "an operator name");
    ir::NodeSpec spec{.op = node.op_type(), .outputs = {}, .domain = node.domain()};
    for (const auto& attribute : node.attribute()) {
      if (attribute.name().empty() || attribute.name() == kCapturedNames) {
        refuse(where, fmt::format("an attribute named '{}'", attribute.name()), "a name of ONNX");
      }
      refuse_attribute_twice(spec, attribute.name(), where);
      if (!subgraphs(attribute).empty()) refuse_external_data(attribute, where);
      spec.attributes.emplace(attribute.name(), read_attribute(attribute, options_.folder, where));
    }
    if (add_constant(node, spec)) return;
    if (skip_identity(node)) return;
    for (const std::string& input : node.input()) spec.inputs.push_back(value_of(input));
    add_captured(node, spec);
    for (const std::string& output : node.output()) {
      spec.outputs.push_back(output.empty() ? "-" : value_name(output));
    }
    spec.name = node.name().empty() ? new_node_name(node.op_type()) : node.name();
    graph_.add_node(std::move(spec));
  }

  /// The graph means "left out" by the output name "-": a value of that name needs another.
  std::string value_name(const std::string& name) {
    if (name != "-") return checked_new_name(name);
    std::string replacement = graph_.unique_value_name("minus");
    renamed_[name] = replacement;
    return replacement;
  }

  void refuse_attribute_twice(const ir::NodeSpec& spec, const std::string& name,
                              const std::string& where) const {
    if (!spec.attributes.contains(name)) return;
    refuse(where, fmt::format("two attributes named '{}'", name), "unique names");
  }

  /// Constant becomes an initializer where a tensor can hold it.
  bool add_constant(const NodeProto& node, const ir::NodeSpec& spec) {
    if (!spec.domain.empty() || spec.op != "Constant" || node.output_size() != 1) return false;
    const auto tensor = constant_value(spec.attributes);
    if (!tensor || node.output(0).empty()) return false;
    graph_.add_initializer(checked_new_name(node.output(0)), *tensor);
    return true;
  }

  /// Identity of an initializer only shares it: users read the initializer itself.
  bool skip_identity(const NodeProto& node) {
    if (node.op_type() != "Identity" || !node.domain().empty() || node.input_size() != 1 ||
        node.output_size() != 1 || output_names_.contains(node.output(0))) {
      return false;
    }
    ir::Value* source = value_of(node.input(0));
    if (source == nullptr || !source->is_initializer() || node.output(0).empty()) return false;
    aliases_[checked_new_name(node.output(0))] = source;
    return true;
  }

  void add_captured(const NodeProto& node, ir::NodeSpec& spec) {
    const std::set<std::string> names = captured_names(node);
    if (names.empty()) return;
    for (const std::string& name : names) spec.inputs.push_back(value_of(name));
    spec.attributes[std::string(kCapturedNames)] = ir::Strings(names.begin(), names.end());
  }

  ir::Value* value_of(const std::string& name) const {
    if (name.empty()) return nullptr;
    const auto alias = aliases_.find(name);
    if (alias != aliases_.end()) return alias->second;
    const auto other = renamed_.find(name);
    return graph_.find_value(other == renamed_.end() ? name : other->second);
  }

  void read_declared_types() {
    for (const auto& info : proto_.value_info()) declare(info);
    for (const auto& info : proto_.output()) declare(info);
  }

  void declare(const ::onnx::ValueInfoProto& info) {
    ir::Value* value = graph_.find_value(info.name());
    const ir::TypeInfo type = read_type(info.type());
    if (value == nullptr || value->producer() == nullptr) return;
    if (type.dtype != tensor::DType::Undefined) value->set_type(type);
  }

  void read_outputs() {
    for (const auto& output : proto_.output()) {
      ir::Value* value = value_of(output.name());
      if (value == nullptr) {
        refuse(fmt::format("output '{}'", output.name()), "no node that computes it",
               "the output of a node");
      }
      if (value->is_output()) {
        refuse(fmt::format("output '{}'", output.name()), "two outputs of this name",
               "unique names");
      }
      graph_.add_output(*value);
    }
    if (graph_.outputs().empty()) refuse("graph", "no outputs", "at least one output");
  }

  ModelProto& model_;
  GraphProto& proto_;
  const DecodeOptions& options_;
  ir::Graph graph_;
  std::unordered_set<std::string> node_names_;
  std::unordered_map<std::string, int> last_suffix_;  ///< of generated node names, by stem
  std::unordered_set<std::string> constants_;
  std::unordered_set<std::string> output_names_;
  std::unordered_map<std::string, ir::Value*> aliases_;
  std::unordered_map<std::string, std::string> renamed_;
};

}  // namespace

ir::Graph read_graph(ModelProto& model, const DecodeOptions& options) {
  return GraphReader(model, options).read();
}

}  // namespace espalier::onnx
