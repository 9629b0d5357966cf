#include "espalier/onnx/text.h"

#include <fmt/format.h>
#include <onnx/defs/parser.h>
#include <onnx/defs/printer.h>

#include "espalier/base/error.h"
#include "espalier/onnx/library_error.h"
#include "espalier/onnx/model_file.h"
#include "espalier/onnx/proto_codec.h"

namespace espalier::onnx {
namespace {

constexpr std::string_view kEnvelope =
    "<ir_version: 8, opset_import: [\"\" : 17, \"espalier\" : 1]>\n";

}  // namespace

ir::Graph parse(std::string_view text) {
  const auto start = text.find_first_not_of(" \t\r\n");
  std::string whole(text);
  if (start != std::string_view::npos && text[start] != '<') whole.insert(0, kEnvelope);
  ::onnx::ModelProto model;
  call_library("cannot parse the model text", [&] {
    const auto status = ::onnx::OnnxParser::Parse(model, whole);
    if (!status.IsOK()) {
      throw base::UserError({.what = "cannot parse the model text", .got = status.ErrorMessage()});
    }
  });
  check_envelope(model, "text");
  return decode_model(model, {.name = "text"});
}

std::string print(const ir::Graph& graph) {
  const auto opset = graph.opsets.find("");
  return ::onnx::ProtoToString(
      encode_model(graph, opset == graph.opsets.end() ? kDefaultOpset : opset->second));
}

}  // namespace espalier::onnx
