#include "espalier/onnx/graph_writer.h"

#include <array>
#include <set>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/onnx/attribute_codec.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/elem_type.h"
#include "espalier/onnx/guarded_schemas.h"
#include "espalier/onnx/subgraph.h"
#include "espalier/onnx/tensor_codec.h"
#include "espalier/onnx/value_type.h"
#include "espalier/ops/facts.h"

namespace espalier::onnx {
namespace {

using ::onnx::AttributeProto;
using ::onnx::GraphProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;

/// Operators whose output has the type of their first input and that the library cannot infer: our
/// own, and one whose old function body it rejects.
bool keeps_type(const ir::Node& node) {
  return (node.domain() == ir::kEspalierDomain && node.op() == "FakeQuantize") ||
         node.is("MeanVarianceNormalization");
}

/// A Constant node whose value no tensor can hold: written as what it was in the file.
const ir::OpaqueAttribute* opaque_constant(const ir::Node& node, std::string_view attribute) {
  if (!node.is("Constant")) return nullptr;
  const auto place = node.attributes().find(attribute);
  return place == node.attributes().end() ? nullptr
                                          : std::get_if<ir::OpaqueAttribute>(&place->second);
}

class GraphWriter {
 public:
  GraphWriter(const ir::Graph& graph, Content content) : graph_(graph), content_(content) {}

  ModelProto write() {
    write_envelope();
    proto_ = model_.mutable_graph();
    proto_->set_name(graph_.name);
    for (const ir::Value* input : graph_.inputs()) write_input(*input);
    for (const ir::Value* constant : graph_.initializers()) write_constant(*constant);
    for (const ir::Node* node : graph_.nodes()) write_node(*node);
    for (const ir::Value* output : graph_.outputs()) write_output(*output);
    return std::move(model_);
  }

 private:
  bool types_only() const { return content_ == Content::TypesOnly; }

  void write_envelope() {
    std::map<std::string, std::int64_t> opsets = graph_.opsets;
    opsets.try_emplace("", kDefaultOpset);
    std::set<std::string> used{""};
    for (const ir::Node* node : graph_.nodes()) {
      used.insert(node->domain());
      opsets.try_emplace(node->domain(), 1);
    }
    model_.set_ir_version(types_only() ? ir_version_of(kNewestOpset) : ir_version_of(opsets[""]));
    model_.set_producer_name("espalier");
    model_.set_producer_version(ESPALIER_VERSION);
    if (!graph_.documentation.empty()) model_.set_doc_string(graph_.documentation);
    for (const auto& [domain, version] : opsets) {
      if (!used.contains(domain)) continue;
      auto& import = *model_.add_opset_import();
      import.set_domain(domain);
      import.set_version(version);
    }
    for (const auto& [key, value] : graph_.metadata) {
      auto& entry = *model_.add_metadata_props();
      entry.set_key(key);
      entry.set_value(value);
    }
  }

  void write_input(const ir::Value& value) { write_info(value, *proto_->add_input()); }

  void write_info(const ir::Value& value, ::onnx::ValueInfoProto& info) const {
    info.set_name(value.name());
    write_type(value.type(), *info.mutable_type());
  }

  void write_constant(const ir::Value& constant) {
    const Tensor& tensor = constant.constant();
    const bool integer = tensor::from_scalar_type(tensor.scalar_type()) == tensor::DType::Int64 ||
                         tensor::from_scalar_type(tensor.scalar_type()) == tensor::DType::Int32;
    const bool small = tensor.numel() <= (integer ? kMaxShapeElements : 16);
    if (types_only() && !small) {
      write_input(constant);
      return;
    }
    auto& written = *proto_->add_initializer();
    written.set_name(constant.name());
    write_tensor(tensor, written);
  }

  void write_node(const ir::Node& node) {
    if (write_opaque_constant(node)) return;
    NodeProto& proto = *proto_->add_node();
    proto.set_name(node.name());
    proto.set_op_type(node.op());
    if (!node.domain().empty()) proto.set_domain(node.domain());
    const std::size_t formal = num_formal_inputs(node);
    for (std::size_t index = 0; index < formal; ++index) {
      const ir::Value* input = node.input(index);
      proto.add_input(input == nullptr ? "" : input->name());
    }
    drop_trailing_empty(*proto.mutable_input());
    for (const ir::Value* output : node.outputs()) {
      proto.add_output(output == nullptr ? "" : output->name());
    }
    drop_trailing_empty(*proto.mutable_output());
    write_attributes(node, proto);
    if (types_only() && keeps_type(node)) replace_by_identity(proto);
    if (ops::find(node) == nullptr) declare_outputs(node);
  }

  static void drop_trailing_empty(google::protobuf::RepeatedPtrField<std::string>& names) {
    while (!names.empty() && names.rbegin()->empty()) names.RemoveLast();
  }

  static void replace_by_identity(NodeProto& proto) {
    proto.clear_domain();
    proto.clear_attribute();
    proto.set_op_type("Identity");
    while (proto.input_size() > 1) proto.mutable_input()->RemoveLast();
  }

  bool write_opaque_constant(const ir::Node& node) {
    if (const auto* value = opaque_constant(node, "value")) {
      AttributeProto attribute = parse_opaque(*value);
      auto& written = *proto_->add_initializer();
      written.Swap(attribute.mutable_t());
      written.set_name(node.output()->name());
      return true;
    }
    if (const auto* value = opaque_constant(node, "sparse_value")) {
      auto& written = *proto_->add_sparse_initializer();
      written = parse_opaque(*value).sparse_tensor();
      written.mutable_values()->set_name(node.output()->name());
      return true;
    }
    return false;
  }

  void write_attributes(const ir::Node& node, NodeProto& proto) const {
    for (const auto& [name, attribute] : node.attributes()) {
      if (name == kCapturedNames) continue;
      AttributeProto& written = *proto.add_attribute();
      write_attribute(name, attribute, written);
      if (!subgraphs(written).empty()) settle_names(node, written);
    }
  }

  /// Captured values may have been renamed or replaced since the file was read, and new outer
  /// values may have taken names that the subgraph uses inside.
  void settle_names(const ir::Node& node, AttributeProto& attribute) const {
    std::map<std::string, std::string> names;
    const std::set<std::string> inner = defined_names(attribute);
    for (const std::string& name : inner) {
      if (graph_.find_value(name) == nullptr) continue;
      std::string other = fmt::format("{}_inner", name);
      while (graph_.find_value(other) != nullptr || inner.contains(other)) other += "_";
      names[name] = other;
    }
    const auto place = node.attributes().find(kCapturedNames);
    if (place != node.attributes().end()) {
      const auto& captured = std::get<ir::Strings>(place->second);
      const std::size_t formal = num_formal_inputs(node);
      for (std::size_t index = 0; index < captured.size(); ++index) {
        const ir::Value* value = node.input(formal + index);
        if (value != nullptr && !inner.contains(captured[index])) {
          names[captured[index]] = value->name();
        }
      }
    }
    rename_values(attribute, names);
  }

  /// Nobody can infer these types again.
  void declare_outputs(const ir::Node& node) {
    for (const ir::Value* output : node.outputs()) {
      if (output == nullptr || output->is_output()) continue;
      if (elem_type_of(output->type().dtype) == 0) continue;
      write_info(*output, *proto_->add_value_info());
    }
  }

  void write_output(const ir::Value& value) {
    auto& info = *proto_->add_output();
    info.set_name(value.name());
    if (types_only()) {
      const bool opaque = value.producer() != nullptr && ops::find(*value.producer()) == nullptr;
      if (opaque && elem_type_of(value.type().dtype) != 0) write_info(value, info);
      return;
    }
    if (elem_type_of(value.type().dtype) == 0) {
      throw base::UnsupportedError(
          {.what = "cannot write the model",
           .where = fmt::format("output '{}'", value.name()),
           .got = "a type that is unknown or no tensor's",
           .hint = "outputs of operators that Espalier does not know need a declared type"});
    }
    write_type(value.type(), *info.mutable_type());
  }

  const ir::Graph& graph_;
  Content content_;
  ModelProto model_;
  GraphProto* proto_ = nullptr;
};

}  // namespace

std::int64_t ir_version_of(std::int64_t opset) {
  struct Row {
    std::int64_t opset;
    std::int64_t ir_version;
  };
  constexpr std::array kRows{Row{23, 11}, Row{21, 10}, Row{19, 9}, Row{15, 8},
                             Row{12, 7},  Row{11, 6},  Row{10, 5}, Row{9, 4}};
  for (const Row& row : kRows) {
    if (opset >= row.opset) return row.ir_version;
  }
  return 3;
}

ModelProto write_model(const ir::Graph& graph, Content content) {
  return GraphWriter(graph, content).write();
}

}  // namespace espalier::onnx
