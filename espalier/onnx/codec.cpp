#include "espalier/onnx/codec.h"

#include <algorithm>

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

ir::Graph load(const std::filesystem::path& path) {
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  ::onnx::ModelProto model = parse_model(base::read_file(path), path.string());
  return decode_model(model, {.folder = folder, .name = path.string()});
}

::onnx::ModelProto encode_model(const ir::Graph& graph, std::int64_t opset) {
  return write_model(prepare(graph, opset), Content::Everything);
}

std::string encode(const ir::Graph& graph, const EncodeOptions& options) {
  const ::onnx::ModelProto model = encode_model(graph, options.opset);
  if (model.ByteSizeLong() > kMaxFileBytes) {
    throw base::UnsupportedError({.what = "cannot write the model as one file",
                                  .got = fmt::format("{} bytes", model.ByteSizeLong()),
                                  .expected = "less than 2 GB",
                                  .hint = "save it, so that the constants go to a file beside it"});
  }
  return serialize(model);
}

void save(const ir::Graph& graph, const std::filesystem::path& path, const EncodeOptions& options) {
  ::onnx::ModelProto model = encode_model(graph, options.opset);
  if (model.ByteSizeLong() > std::min(options.inline_limit, kMaxFileBytes)) {
    move_data_out(model, path);
  }
  base::write_file_atomic(path, serialize(model));
}

}  // namespace espalier::onnx
