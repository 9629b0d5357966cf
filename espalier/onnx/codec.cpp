#include "espalier/onnx/codec.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/ir/verifier.h"
#include "espalier/onnx/attribute_codec.h"
#include "espalier/onnx/external_data.h"
#include "espalier/onnx/graph_reader.h"
#include "espalier/onnx/graph_writer.h"
#include "espalier/onnx/model_file.h"
#include "espalier/onnx/opset.h"
#include "espalier/onnx/proto_codec.h"
#include "espalier/onnx/shapes.h"
#include "espalier/onnx/tensor_codec.h"
#include "espalier/onnx/validate.h"

namespace espalier::onnx {
namespace {

/// The graph at the wanted opset, with output types where they can be found.
ir::Graph prepare(const ir::Graph& graph, std::int64_t opset) {
  ir::Graph prepared = graph.clone();
  prepared.opsets.try_emplace("", kDefaultOpset);
  const bool typed = std::ranges::all_of(prepared.outputs(), [](const ir::Value* output) {
    return output->type().dtype != tensor::DType::Undefined;
  });
  const bool converted = prepared.opsets[""] != opset;
  if (!typed || converted) infer_shapes(prepared);
  convert_opset(prepared, opset);
  if (converted) infer_shapes(prepared);
  return prepared;
}

/// The bytes of a model that must fit into one file.
std::string serialize_whole(const ::onnx::ModelProto& model, std::string hint) {
  if (model.ByteSizeLong() > kMaxFileBytes) {
    throw base::UnsupportedError({.what = "cannot write the model as one file",
                                  .got = fmt::format("{} bytes", model.ByteSizeLong()),
                                  .expected = "less than 2 GB",
                                  .hint = std::move(hint)});
  }
  return serialize(model);
}

std::filesystem::path folder_of(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

}  // namespace

ir::Graph decode_model(::onnx::ModelProto& model, const DecodeOptions& options) {
  ir::Graph graph = read_graph(model, options);
  validate_nodes(graph);
  const std::int64_t opset = default_opset(model);
  if (opset != 0 && opset < kOldestOpset) {
    infer_shapes(graph);
    convert_opset(graph, kDefaultOpset);
  }
  if (options.infer_shapes) {
    infer_shapes(graph);
    validate_types(graph);
  }
  ir::verify_or_throw(graph, "reading the model");
  return graph;
}

ir::Graph decode(std::string_view bytes, const DecodeOptions& options) {
  ::onnx::ModelProto model = parse_model(bytes, options.name);
  return decode_model(model, options);
}

FileFacts file_facts(std::string_view bytes) {
  const ::onnx::ModelProto model = parse_model(bytes, "model");
  FileFacts facts;
  for (const auto& opset : model.opset_import()) {
    const bool own = opset.domain() == "ai.onnx";
    facts.opsets[own ? std::string() : opset.domain()] = opset.version();
  }
  std::set<std::string> names;
  for (const ::onnx::NodeProto& node : model.graph().node()) {
    const bool named = !node.name().empty() && names.insert(node.name()).second;
    facts.nodes_are_named = facts.nodes_are_named && named;
  }
  return facts;
}

ir::Graph load(const std::filesystem::path& path) {
  ::onnx::ModelProto model = parse_model(base::read_file(path), path.string());
  return decode_model(model, {.folder = folder_of(path), .name = path.string()});
}

std::string load_bytes(const std::filesystem::path& path) {
  std::string bytes = base::read_file(path);
  ::onnx::ModelProto model = parse_model(bytes, path.string());
  bool moved = false;
  for (::onnx::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.data_location() != ::onnx::TensorProto::EXTERNAL) continue;
    const std::string where = fmt::format("'{}' of '{}'", tensor.name(), path.string());
    ::onnx::TensorProto whole;
    whole.set_name(tensor.name());
    write_tensor(read_tensor(tensor, folder_of(path), where).value(), whole);
    tensor = std::move(whole);
    moved = true;
  }
  if (!moved) return bytes;
  return serialize_whole(model, "its weights are too large for an engine that loads from memory");
}

::onnx::ModelProto encode_model(const ir::Graph& graph, std::int64_t opset) {
  return write_model(prepare(graph, opset), Content::Everything);
}

std::string encode(const ir::Graph& graph, const EncodeOptions& options) {
  return serialize_whole(encode_model(graph, options.opset),
                         "save it, so that the constants go to a file beside it");
}

void save(const ir::Graph& graph, const std::filesystem::path& path, const EncodeOptions& options) {
  ::onnx::ModelProto model = encode_model(graph, options.opset);
  if (model.ByteSizeLong() > std::min(options.inline_limit, kMaxFileBytes)) {
    move_data_out(model, path);
  }
  base::write_file_atomic(path, serialize(model));
}

}  // namespace espalier::onnx
