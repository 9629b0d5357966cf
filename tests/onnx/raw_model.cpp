#include "tests/onnx/raw_model.h"

#include <stdexcept>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <onnx/defs/parser.h>

#include "espalier/onnx/codec.h"

namespace espalier::onnx {

::onnx::ModelProto raw_model(std::string_view text, std::int64_t opset) {
  std::string whole(text);
  if (whole.find("ir_version") == std::string::npos) {
    whole.insert(0, fmt::format("<ir_version: 8, opset_import: [\"\" : {}, \"espalier\" : 1, "
                                "\"custom\" : 1]>\n",
                                opset));
  }
  ::onnx::ModelProto model;
  const auto status = ::onnx::OnnxParser::Parse(model, whole);
  if (!status.IsOK()) throw std::invalid_argument(status.ErrorMessage());
  return model;
}

std::string raw_bytes(std::string_view text, std::int64_t opset,
                      const std::function<void(::onnx::ModelProto&)>& change) {
  ::onnx::ModelProto model = raw_model(text, opset);
  if (change) change(model);
  return model.SerializePartialAsString();
}

ir::Graph read(std::string_view text, std::int64_t opset) {
  return decode(raw_bytes(text, opset));
}

const ir::Node& only(const ir::Graph& graph, std::string_view op) {
  const ir::Node* found = nullptr;
  for (const ir::Node* node : graph.nodes()) {
    if (node->op() != op) continue;
    EXPECT_EQ(found, nullptr) << "several nodes of " << op;
    found = node;
  }
  if (found == nullptr)
    throw std::invalid_argument(fmt::format("no {} among: {}", op, operators(graph)));
  return *found;
}

std::string operators(const ir::Graph& graph) {
  std::string text;
  for (const ir::Node* node : graph.nodes()) text += (text.empty() ? "" : " ") + node->op();
  return text;
}

ir::Ints ints_of(const ir::Value* value) {
  if (value == nullptr || !value->is_initializer()) throw std::invalid_argument("no initializer");
  const Tensor tensor = value->constant().to(at::kLong).contiguous();
  const auto* data = tensor.const_data_ptr<std::int64_t>();
  return ir::Ints(data, data + tensor.numel());
}

}  // namespace espalier::onnx
