#include "espalier/onnx/guarded_schemas.h"

#include <utility>

#include <fmt/format.h>
#include <onnx/defs/shape_inference.h>

namespace espalier::onnx {
namespace {

using ::onnx::DataPropagationContext;
using ::onnx::InferenceContext;
using ::onnx::OpSchema;
using ::onnx::TypeProto;

bool is_long_vector(const TypeProto* type) {
  if (type == nullptr || !type->has_tensor_type() || !type->tensor_type().has_shape()) return false;
  const auto& shape = type->tensor_type().shape();
  return shape.dim_size() == 1 && shape.dim(0).has_dim_value() &&
         shape.dim(0).dim_value() > kMaxShapeElements;
}

/// Asking for the elements of a vector writes them all: its type comes first.
bool has_short_inputs(DataPropagationContext& context) {
  std::int64_t elements = 0;
  for (std::size_t index = 0; index < context.getNumInputs(); ++index) {
    if (is_long_vector(context.getInputType(index))) return false;
    const auto* known = context.getInputData(index);
    if (known != nullptr) elements += known->dim_size();
    if (elements > kMaxShapeElements) return false;
  }
  return true;
}

void check_ranks(InferenceContext& context) {
  for (std::size_t index = 0; index < context.getNumOutputs(); ++index) {
    const TypeProto* type = context.getOutputType(index);
    if (type == nullptr || !type->has_tensor_type()) continue;
    const int rank = type->tensor_type().shape().dim_size();
    if (rank > kMaxResultRank) {
      throw ::onnx::InferenceError(
          fmt::format("a result of {} dimensions; expected at most {}", rank, kMaxResultRank));
    }
  }
}

/// Operators whose result is of the first input's type, which the library knows from nothing but
/// the body of a function that depends on the context.
bool keeps_first_type(const OpSchema& schema) {
  return schema.domain().empty() && schema.Name() == "GroupNormalization" &&
         !schema.has_type_and_shape_inference_function();
}

OpSchema guard(const OpSchema& schema) {
  OpSchema guarded = schema;
  if (keeps_first_type(schema)) {
    guarded.TypeAndShapeInferenceFunction(
        [](InferenceContext& context) { ::onnx::propagateShapeAndTypeFromFirstInput(context); });
  }
  if (schema.has_type_and_shape_inference_function()) {
    guarded.TypeAndShapeInferenceFunction(
        [infer = schema.GetTypeAndShapeInferenceFunction()](InferenceContext& context) {
          infer(context);
          check_ranks(context);
        });
  }
  if (schema.has_data_propagation_function()) {
    guarded.PartialDataPropagationFunction(
        [propagate = schema.GetDataPropagationFunction()](DataPropagationContext& context) {
          if (has_short_inputs(context)) propagate(context);
        });
  }
  return guarded;
}

}  // namespace

const OpSchema* GuardedSchemas::GetSchema(const std::string& key, int max_inclusive_version,
                                          const std::string& domain) const {
  const OpSchema* schema =
      ::onnx::OpSchemaRegistry::Instance()->GetSchema(key, max_inclusive_version, domain);
  if (schema == nullptr) return nullptr;
  const auto place = guarded_.find(schema);
  if (place != guarded_.end()) return &place->second;
  return &guarded_.emplace(schema, guard(*schema)).first->second;
}

}  // namespace espalier::onnx
