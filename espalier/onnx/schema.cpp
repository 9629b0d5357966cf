#include "espalier/onnx/schema.h"

#include <algorithm>

#include <fmt/format.h>
#include <onnx/defs/schema.h>

#include "espalier/onnx/attribute_codec.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/subgraph.h"

namespace espalier::onnx {
namespace {

using ::onnx::AttributeProto;
using ::onnx::OpSchema;

const OpSchema* find_schema(const std::string& op, std::int64_t opset) {
  return ::onnx::OpSchemaRegistry::Schema(op, static_cast<int>(opset), "");
}

/// True when ONNX has the operator in any opset.
bool is_known(const std::string& op) {
  return ::onnx::OpSchemaRegistry::Schema(op, "") != nullptr;
}

bool has_type(const ir::Attribute& attribute, AttributeProto::AttributeType type) {
  switch (type) {
    case AttributeProto::INT:
      return std::holds_alternative<std::int64_t>(attribute);
    case AttributeProto::FLOAT:
      return std::holds_alternative<float>(attribute);
    case AttributeProto::STRING:
      return std::holds_alternative<std::string>(attribute);
    case AttributeProto::INTS:
      return std::holds_alternative<ir::Ints>(attribute);
    case AttributeProto::FLOATS:
      return std::holds_alternative<ir::Floats>(attribute);
    case AttributeProto::STRINGS:
      return std::holds_alternative<ir::Strings>(attribute);
    case AttributeProto::TENSOR:
      if (std::holds_alternative<Tensor>(attribute)) return true;
      [[fallthrough]];
    default: {
      const auto* opaque = std::get_if<ir::OpaqueAttribute>(&attribute);
      return opaque != nullptr && parse_opaque(*opaque).type() == type;
    }
  }
}

std::string lower_name(AttributeProto::AttributeType type) {
  std::string name = AttributeProto::AttributeType_Name(type);
  std::ranges::transform(name, name.begin(),
                         [](unsigned char letter) { return std::tolower(letter); });
  return name;
}

std::optional<std::string> attribute_violation(const ir::Node& node, const OpSchema& schema) {
  for (const auto& [name, attribute] : node.attributes()) {
    if (name == kCapturedNames || name.starts_with("__")) continue;
    const auto place = schema.attributes().find(name);
    if (place == schema.attributes().end()) return fmt::format("the unknown attribute '{}'", name);
    if (!has_type(attribute, place->second.type)) {
      return fmt::format("attribute '{}' of type {}, expected {}", name, ir::type_name(attribute),
                         lower_name(place->second.type));
    }
  }
  for (const auto& [name, attribute] : schema.attributes()) {
    if (attribute.required && !node.has(name)) {
      return fmt::format("no attribute '{}', which is required", name);
    }
  }
  return std::nullopt;
}

std::optional<std::string> count_violation(std::string_view what, std::size_t count, int minimum,
                                           int maximum) {
  const auto number = static_cast<std::int64_t>(count);
  if (number >= minimum && number <= maximum) return std::nullopt;
  return minimum == maximum ? fmt::format("{} {}s, expected {}", number, what, minimum)
         : number < minimum ? fmt::format("{} {}s, expected at least {}", number, what, minimum)
                            : fmt::format("{} {}s, expected at most {}", number, what, maximum);
}

/// The parameter that input or output `index` belongs to; the last one may repeat.
const OpSchema::FormalParameter* parameter(const std::vector<OpSchema::FormalParameter>& list,
                                           std::size_t index) {
  if (list.empty()) return nullptr;
  return index < list.size() ? &list[index] : &list.back();
}

std::string onnx_type_name(tensor::DType dtype) {
  if (dtype == tensor::DType::Float32) return "tensor(float)";
  if (dtype == tensor::DType::Float64) return "tensor(double)";
  return fmt::format("tensor({})", tensor::to_string(dtype));
}

bool accepts(const OpSchema::FormalParameter& formal, tensor::DType dtype) {
  if (dtype == tensor::DType::Undefined || dtype == tensor::DType::Other) return true;
  const std::string name = onnx_type_name(dtype);
  return std::ranges::any_of(formal.GetTypes(),
                             [&name](const std::string* type) { return *type == name; });
}

std::optional<std::string> value_violation(const ir::Node& node, const OpSchema& schema,
                                           CheckTypes check_types) {
  for (std::size_t index = 0; index < num_formal_inputs(node); ++index) {
    const auto* formal = parameter(schema.inputs(), index);
    if (formal == nullptr) continue;
    const ir::Value* input = node.input(index);
    if (input == nullptr) {
      if (formal->GetOption() == OpSchema::Optional) continue;
      return fmt::format("no input {}, which is required", index);
    }
    if (check_types == CheckTypes::Yes && !accepts(*formal, input->type().dtype)) {
      return fmt::format("input {} of type {}", index, tensor::to_string(input->type().dtype));
    }
  }
  return std::nullopt;
}

bool holds_default(const ir::Attribute& attribute, const OpSchema::Attribute& formal) {
  const AttributeProto& standard = formal.default_value;
  if (!standard.has_name()) {
    // Lists of ones stand for the absent dilations of pools.
    const auto* ints = std::get_if<ir::Ints>(&attribute);
    return formal.name == "dilations" && ints != nullptr &&
           std::ranges::all_of(*ints, [](std::int64_t value) { return value == 1; });
  }
  return ir::equal(attribute, read_attribute(standard, {}, "schema"));
}

}  // namespace

std::optional<std::string> schema_violation(const ir::Node& node, std::int64_t opset,
                                            CheckTypes check_types) {
  if (!node.domain().empty()) return std::nullopt;
  const OpSchema* schema = find_schema(node.op(), opset);
  if (schema == nullptr) {
    if (!is_known(node.op())) return std::nullopt;
    return fmt::format("an operator that opset {} does not have", opset);
  }
  const std::size_t inputs = num_formal_inputs(node);
  if (auto text = count_violation("input", inputs, schema->min_input(), schema->max_input())) {
    return text;
  }
  if (auto text = count_violation("output", node.outputs().size(), schema->min_output(),
                                  schema->max_output())) {
    return text;
  }
  if (auto text = attribute_violation(node, *schema)) return text;
  return value_violation(node, *schema, check_types);
}

std::int64_t since_version(const std::string& op, std::int64_t opset) {
  const OpSchema* schema = find_schema(op, opset);
  return schema == nullptr ? 0 : schema->SinceVersion();
}

void drop_new_defaults(ir::Node& node, std::int64_t known, std::int64_t opset) {
  const OpSchema* from = find_schema(node.op(), known);
  const OpSchema* to = find_schema(node.op(), opset);
  if (!node.domain().empty() || from == nullptr || to == nullptr) return;
  const ir::Attributes attributes = node.attributes();
  for (const auto& [name, attribute] : attributes) {
    const auto place = from->attributes().find(name);
    if (to->attributes().contains(name) || place == from->attributes().end()) continue;
    if (holds_default(attribute, place->second)) node.remove(name);
  }
}

}  // namespace espalier::onnx
