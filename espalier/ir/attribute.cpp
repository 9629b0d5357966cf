#include "espalier/ir/attribute.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace espalier::ir {
namespace {

bool same_bits(const Tensor& left, const Tensor& right) {
  if (left.scalar_type() != right.scalar_type() || left.sizes() != right.sizes()) return false;
  const Tensor first = left.contiguous();
  const Tensor second = right.contiguous();
  return first.numel() == 0 ||
         std::memcmp(first.const_data_ptr(), second.const_data_ptr(), first.nbytes()) == 0;
}

bool same_bits(float left, float right) {
  return std::bit_cast<std::uint32_t>(left) == std::bit_cast<std::uint32_t>(right);
}

bool same_bits(const Floats& left, const Floats& right) {
  return std::ranges::equal(left, right, [](float a, float b) { return same_bits(a, b); });
}

template <typename Type>
bool same_bits(const Type& left, const Type& right) {
  return left == right;
}

}  // namespace

std::string_view type_name(const Attribute& attribute) {
  constexpr std::array<std::string_view, std::variant_size_v<Attribute>> kNames{
      "int", "float", "string", "tensor", "ints", "floats", "strings", "opaque"};
  return kNames[attribute.index()];
}

bool equal(const Attribute& left, const Attribute& right) {
  if (left.index() != right.index()) return false;
  return std::visit(
      [&right](const auto& value) {
        return same_bits(value, std::get<std::decay_t<decltype(value)>>(right));
      },
      left);
}

}  // namespace espalier::ir
