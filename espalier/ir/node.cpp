#include "espalier/ir/node.h"

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::ir {
namespace {

template <typename Type>
std::string_view wanted_name() {
  return type_name(Attribute(Type{}));
}

}  // namespace

std::string Node::label() const {
  return fmt::format("node '{}' ({})", name_, op_);
}

void Node::remove(std::string_view attribute) {
  const auto place = attributes_.find(attribute);
  if (place != attributes_.end()) attributes_.erase(place);
}

template <typename Type>
const Type* Node::find(std::string_view attribute) const {
  const auto place = attributes_.find(attribute);
  if (place == attributes_.end()) return nullptr;
  const Type* value = std::get_if<Type>(&place->second);
  if (value == nullptr) {
    throw base::UserError({.what = fmt::format("bad attribute '{}'", attribute),
                           .where = label(),
                           .got = std::string(type_name(place->second)),
                           .expected = std::string(wanted_name<Type>())});
  }
  return value;
}

std::int64_t Node::get_int(std::string_view attribute) const {
  const auto* value = find<std::int64_t>(attribute);
  if (value == nullptr) {
    throw base::UserError({.what = fmt::format("missing attribute '{}'", attribute),
                           .where = label(),
                           .expected = "an int"});
  }
  return *value;
}

std::int64_t Node::get_int(std::string_view attribute, std::int64_t fallback) const {
  const auto* value = find<std::int64_t>(attribute);
  return value == nullptr ? fallback : *value;
}

float Node::get_float(std::string_view attribute, float fallback) const {
  const auto* value = find<float>(attribute);
  return value == nullptr ? fallback : *value;
}

std::string Node::get_string(std::string_view attribute, std::string fallback) const {
  const auto* value = find<std::string>(attribute);
  if (value == nullptr) return fallback;
  return *value;
}

Ints Node::get_ints(std::string_view attribute, Ints fallback) const {
  const auto* value = find<Ints>(attribute);
  if (value == nullptr) return fallback;
  return *value;
}

Floats Node::get_floats(std::string_view attribute, Floats fallback) const {
  const auto* value = find<Floats>(attribute);
  if (value == nullptr) return fallback;
  return *value;
}

Tensor Node::get_tensor(std::string_view attribute) const {
  const auto* value = find<Tensor>(attribute);
  if (value == nullptr) {
    throw base::UserError({.what = fmt::format("missing attribute '{}'", attribute),
                           .where = label(),
                           .expected = "a tensor"});
  }
  return *value;
}

}  // namespace espalier::ir
