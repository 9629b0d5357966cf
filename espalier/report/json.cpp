#include "espalier/report/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "espalier/base/check.h"
#include "espalier/base/error.h"

namespace espalier::report {

using Library = nlohmann::ordered_json;

/// Conversion between our value and the library's.
struct JsonText {
  static Library to_library(const Json& value);
  static Json from_library(const Library& value);
  static std::string_view kind(const Json& value);
};

namespace {

constexpr int kDeepest = 200;

[[noreturn]] void fail_kind(std::string_view kind, std::string_view expected) {
  throw base::UserError({.what = "JSON value of another kind",
                         .got = std::string(kind),
                         .expected = std::string(expected)});
}

template <class... Functions>
struct Visitor : Functions... {
  using Functions::operator()...;
};
template <class... Functions>
Visitor(Functions...) -> Visitor<Functions...>;  // clang 16 needs it said

}  // namespace

Library JsonText::to_library(const Json& value) {
  return std::visit(Visitor{[](std::monostate) { return Library(nullptr); },
                            [](double number) {
                              return std::isfinite(number) ? Library(number) : Library(nullptr);
                            },
                            [](const Json::Array& items) {
                              Library result = Library::array();
                              for (const Json& item : items) result.push_back(to_library(item));
                              return result;
                            },
                            [](const Json::Object& members) {
                              Library result = Library::object();
                              for (const auto& [key, item] : members)
                                result[key] = to_library(item);
                              return result;
                            },
                            [](const auto& scalar) { return Library(scalar); }},
                    value.value_);
}

Json JsonText::from_library(const Library& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_unsigned()) {
    const auto number = value.get<std::uint64_t>();
    const bool fits = number <= std::uint64_t{std::numeric_limits<std::int64_t>::max()};
    return fits ? Json(static_cast<std::int64_t>(number)) : Json(number);
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_array()) {
    Json result = Json::array();
    for (const Library& item : value) result.push_back(from_library(item));
    return result;
  }
  if (!value.is_object()) return {};
  Json result = Json::object();
  for (const auto& [key, item] : value.items()) result[key] = from_library(item);
  return result;
}

std::string_view JsonText::kind(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_bool()) return "a truth value";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "text";
  return value.is_array() ? "a list" : "an object";
}

Json Json::object() {
  Json result;
  result.value_ = Object{};
  return result;
}

Json Json::object(std::initializer_list<Member> members) {
  Json result;
  result.value_ = Object(members);
  return result;
}

Json& Json::push_back(Json value) {
  if (is_null()) value_ = Array{};
  auto* items = std::get_if<Array>(&value_);
  base::invariant(items != nullptr, "push_back on {}", JsonText::kind(*this));
  items->push_back(std::move(value));
  return items->back();
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object{};
  auto* members = std::get_if<Object>(&value_);
  base::invariant(members != nullptr, "member '{}' of {}", key, JsonText::kind(*this));
  const auto found = std::ranges::find(*members, key, &Member::first);
  if (found != members->end()) return found->second;
  members->emplace_back(std::string(key), Json());
  return members->back().second;
}

bool Json::is_number() const {
  return holds<std::int64_t>() || holds<std::uint64_t>() || holds<double>();
}

bool Json::as_bool() const {
  if (const auto* value = std::get_if<bool>(&value_)) return *value;
  fail_kind(JsonText::kind(*this), "true or false");
}

std::int64_t Json::as_integer() const {
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) {
    if (*value <= std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
      return static_cast<std::int64_t>(*value);
    }
  }
  fail_kind(is_number() ? "a number with a fraction or above 2^63" : JsonText::kind(*this),
            "a whole number");
}

double Json::as_number() const {
  if (const auto* value = std::get_if<double>(&value_)) return *value;
  if (const auto* value = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*value);
  if (const auto* value = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*value);
  fail_kind(JsonText::kind(*this), "a number");
}

const std::string& Json::as_string() const {
  if (const auto* value = std::get_if<std::string>(&value_)) return *value;
  fail_kind(JsonText::kind(*this), "text");
}

const Json::Array& Json::items() const {
  if (const auto* value = std::get_if<Array>(&value_)) return *value;
  fail_kind(JsonText::kind(*this), "a list");
}

const Json::Object& Json::members() const {
  if (const auto* value = std::get_if<Object>(&value_)) return *value;
  fail_kind(JsonText::kind(*this), "an object");
}

const Json* Json::find(std::string_view key) const {
  const auto* members = std::get_if<Object>(&value_);
  if (members == nullptr) return nullptr;
  const auto found = std::ranges::find(*members, key, &Member::first);
  return found == members->end() ? nullptr : &found->second;
}

const Json& Json::at(std::string_view key) const {
  if (const Json* value = find(key)) return *value;
  throw base::UserError({.what = fmt::format("the JSON member '{}' is missing", key),
                         .got = std::string(JsonText::kind(*this))});
}

std::string to_text(const Json& value, int indent) {
  return JsonText::to_library(value).dump(indent, ' ', false, Library::error_handler_t::replace);
}

Json parse_json(std::string_view text, std::string_view source) {
  const auto limit_depth = [&](int depth, Library::parse_event_t event, Library& /*value*/) {
    const bool opens = event == Library::parse_event_t::object_start ||
                       event == Library::parse_event_t::array_start;
    base::check(!opens || depth < kDeepest, "cannot read '{}': got more than {} levels of nesting",
                source, kDeepest);
    return true;
  };
  try {
    return JsonText::from_library(Library::parse(text, limit_depth));
  } catch (const Library::exception& problem) {
    // The library's text starts with its own name in brackets.
    std::string got = problem.what();
    if (const std::size_t end = got.find("] "); end != std::string::npos) got.erase(0, end + 2);
    throw base::UserError(
        {.what = fmt::format("cannot read '{}'", source), .got = got, .expected = "JSON"});
  }
}

}  // namespace espalier::report
