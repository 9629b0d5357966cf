#include "espalier/ir/attribute.h"

#include <ATen/ops/equal.h>

#include <array>
#include <bit>

namespace espalier::ir {

std::string_view type_name(const Attribute& attribute) {
  constexpr std::array<std::string_view, std::variant_size_v<Attribute>> kNames{
      "int", "float", "string", "tensor", "ints", "floats", "strings", "opaque"};
  return kNames[attribute.index()];
}

bool equal(const Attribute& left, const Attribute& right) {
  if (left.index() != right.index()) return false;
  if (const auto* tensor = std::get_if<Tensor>(&left)) {
    const auto& other = std::get<Tensor>(right);
    return tensor->scalar_type() == other.scalar_type() && tensor->sizes() == other.sizes() &&
           at::equal(*tensor, other);
  }
  return std::visit(
      [&right](const auto& value) {
        using Type = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<Type, Tensor>) {
          return false;
        } else {
          return value == std::get<Type>(right);
        }
      },
      left);
}

}  // namespace espalier::ir
