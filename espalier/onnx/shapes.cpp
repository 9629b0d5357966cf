#include "espalier/onnx/shapes.h"

#include <algorithm>
#include <set>
#include <unordered_map>

#include <fmt/format.h>
#include <onnx/shape_inference/implementation.h>

#include "espalier/base/error.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/graph_writer.h"
#include "espalier/onnx/guarded_schemas.h"
#include "espalier/onnx/library_error.h"
#include "espalier/onnx/value_type.h"
#include "espalier/ops/facts.h"

namespace espalier::onnx {
namespace {

/// A tensor of more elements than this is a mistake or an attack.
constexpr std::int64_t kMaxInferredElements = std::int64_t{1} << 36;

using Types = std::unordered_map<std::string, ir::TypeInfo>;

std::set<std::string> input_symbols(const ir::Graph& graph) {
  std::set<std::string> symbols;
  for (const ir::Value* input : graph.inputs()) {
    if (!input->type().shape) continue;
    for (const tensor::Dim& dim : *input->type().shape) symbols.insert(dim.symbol);
  }
  return symbols;
}

/// The library names every unknown dimension; names that are not the inputs' mean nothing.
void drop_generated_symbols(ir::TypeInfo& type, const std::set<std::string>& symbols) {
  if (!type.shape) return;
  for (tensor::Dim& dim : *type.shape) {
    if (!symbols.contains(dim.symbol)) dim.symbol.clear();
  }
}

Types run_inference(const ir::Graph& graph) {
  ::onnx::ModelProto model = write_model(graph, Content::TypesOnly);
  call_library("types and shapes do not fit together", [&model] {
    ::onnx::ShapeInferenceOptions options(/*check_type_val=*/true, /*strict_mode_val=*/1,
                                          /*data_prop_val=*/true);
    ::onnx::shape_inference::DataValueMap data;
    const GuardedSchemas schemas;
    ::onnx::shape_inference::InferShapes(model, &schemas, options, &data);
  });
  const std::set<std::string> symbols = input_symbols(graph);
  Types types;
  const auto collect = [&](const auto& infos) {
    for (const auto& info : infos) {
      ir::TypeInfo type = read_type(info.type());
      drop_generated_symbols(type, symbols);
      if (type.dtype != tensor::DType::Undefined) types[info.name()] = std::move(type);
    }
  };
  collect(model.graph().value_info());
  collect(model.graph().output());
  return types;
}

/// Where inference knows nothing about a dimension of a graph output, the declared one stays.
void keep_declared_dims(ir::TypeInfo& inferred, const ir::TypeInfo& declared) {
  if (!declared.shape) return;
  if (!inferred.shape) {
    inferred.shape = declared.shape;
    return;
  }
  if (inferred.shape->size() != declared.shape->size()) return;
  for (std::size_t index = 0; index < inferred.shape->size(); ++index) {
    tensor::Dim& dim = (*inferred.shape)[index];
    if (!dim.known() && dim.symbol.empty()) dim = (*declared.shape)[index];
  }
}

void refuse_absurd_size(const ir::Node& node, const ir::TypeInfo& type) {
  if (!type.shape) return;
  std::int64_t product = 1;
  for (const tensor::Dim& dim : *type.shape) {
    const std::int64_t factor = std::max<std::int64_t>(dim.size.value_or(1), 1);
    if (__builtin_mul_overflow(product, factor, &product) || product > kMaxInferredElements) {
      throw base::UserError({.what = "absurd shape",
                             .where = node.label(),
                             .got = tensor::to_string(*type.shape),
                             .expected = "at most 2^36 elements"});
    }
  }
}

/// Types of values whose producer the library does not know are kept.
void set_type(ir::Value& value, const ir::Node& node, const Types& types) {
  const auto place = types.find(value.name());
  if (place == types.end()) return;
  ir::TypeInfo type = place->second;
  if (value.is_output() || ops::find(node) == nullptr) keep_declared_dims(type, value.type());
  refuse_absurd_size(node, type);
  value.set_type(std::move(type));
}

void check_new_shape(const ir::Value& input, const tensor::Shape& shape) {
  const auto& declared = input.type().shape;
  bool fits = !declared || declared->size() == shape.size();
  for (std::size_t index = 0; fits && declared && index < shape.size(); ++index) {
    const tensor::Dim& dim = (*declared)[index];
    fits = !dim.known() || !shape[index].known() || dim.size == shape[index].size;
  }
  if (fits) return;
  throw base::UserError({.what = "bad input shape",
                         .where = fmt::format("input '{}'", input.name()),
                         .got = tensor::to_string(shape),
                         .expected = tensor::to_string(*declared)});
}

}  // namespace

void infer_shapes(ir::Graph& graph) {
  const Types types = run_inference(graph);
  for (const ir::Node* node : graph.nodes()) {
    for (ir::Value* output : node->outputs()) {
      if (output != nullptr) set_type(*output, *node, types);
    }
  }
}

void infer_shapes(ir::Graph& graph, const std::map<std::string, tensor::Shape>& input_shapes) {
  for (const auto& [name, shape] : input_shapes) {
    ir::Value* input = graph.find_value(name);
    if (input == nullptr || !input->is_input()) {
      throw base::UserError(fmt::format("the model has no input '{}'", name));
    }
    check_new_shape(*input, shape);
    input->set_type({.dtype = input->type().dtype, .shape = shape});
  }
  for (const ir::Node* node : graph.nodes()) {
    for (ir::Value* output : node->outputs()) {
      if (output == nullptr || ops::find(*node) == nullptr) continue;
      output->set_type({.dtype = output->type().dtype, .shape = std::nullopt});
    }
  }
  infer_shapes(graph);
}

}  // namespace espalier::onnx
