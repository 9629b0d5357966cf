#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::ir {

/// An attribute that Espalier carries without understanding it (a subgraph, a sparse tensor): the
/// serialized ONNX AttributeProto.
struct OpaqueAttribute {
  std::string bytes;
  bool operator==(const OpaqueAttribute&) const = default;
};

using Ints = std::vector<std::int64_t>;
using Floats = std::vector<float>;
using Strings = std::vector<std::string>;

/// What an ONNX attribute can hold.
using Attribute =
    std::variant<std::int64_t, float, std::string, Tensor, Ints, Floats, Strings, OpaqueAttribute>;

/// "int", "float", "string", "tensor", "ints", "floats", "strings", "opaque".
[[nodiscard]] std::string_view type_name(const Attribute& attribute);

/// Equal type and value; tensors are compared by type, shape and bits.
[[nodiscard]] bool equal(const Attribute& left, const Attribute& right);

}  // namespace espalier::ir
