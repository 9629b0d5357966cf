#include "espalier/recipe/map_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::recipe {
namespace {

[[noreturn]] void refuse(const YamlValue& value, std::string_view what, std::string expected) {
  throw base::UserError({.what = fmt::format("bad value of '{}'", what),
                         .where = value.where(),
                         .got = value.describe(),
                         .expected = std::move(expected)});
}

template <typename Number>
std::optional<Number> parse_number(const YamlValue& value) {
  if (value.kind != YamlValue::Kind::Scalar || value.quoted) return std::nullopt;
  Number number{};
  const std::string& text = value.scalar;
  const char* begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string read_text(const YamlValue& value, std::string_view what) {
  if (value.kind != YamlValue::Kind::Scalar) refuse(value, what, "a text");
  return value.scalar;
}

bool read_flag(const YamlValue& value, std::string_view what) {
  if (value.kind == YamlValue::Kind::Scalar && !value.quoted) {
    if (value.scalar == "true" || value.scalar == "True") return true;
    if (value.scalar == "false" || value.scalar == "False") return false;
  }
  refuse(value, what, "true or false");
}

std::int64_t read_integer(const YamlValue& value, std::string_view what, std::int64_t low,
                          std::int64_t high) {
  const auto number = parse_number<std::int64_t>(value);
  if (!number || *number < low || *number > high) {
    refuse(value, what, fmt::format("an integer from {} to {}", low, high));
  }
  return *number;
}

double read_number(const YamlValue& value, std::string_view what, double low, double high) {
  const auto number = parse_number<double>(value);
  if (!number || !std::isfinite(*number) || *number < low || *number > high) {
    refuse(value, what, fmt::format("a number from {} to {}", low, high));
  }
  return *number;
}

std::span<const YamlValue> read_items(const YamlValue& value, std::string_view what) {
  if (value.kind != YamlValue::Kind::List) refuse(value, what, "a list of maps");
  return value.items;
}

MapReader::MapReader(const YamlValue& map, std::string what) : map_(map), what_(std::move(what)) {
  if (map.kind != YamlValue::Kind::Map) {
    throw base::UserError({.what = fmt::format("bad value of {}", what_),
                           .where = map.where(),
                           .got = map.describe(),
                           .expected = "a map of keys"});
  }
}

const YamlValue* MapReader::find(std::string_view key) {
  if (std::ranges::find(known_, key) == known_.end()) known_.emplace_back(key);
  const YamlValue* value = map_.find(key);
  return value == nullptr || value->kind == YamlValue::Kind::Null ? nullptr : value;
}

const YamlValue& MapReader::require(std::string_view key) {
  const YamlValue* value = find(key);
  if (value == nullptr) {
    throw base::UserError(
        {.what = fmt::format("{} lacks the key '{}'", what_, key), .where = map_.where()});
  }
  return *value;
}

std::string MapReader::text(std::string_view key, std::string fallback) {
  const YamlValue* value = find(key);
  return value == nullptr ? std::move(fallback) : read_text(*value, key);
}

std::string MapReader::choice(std::string_view key, std::span<const std::string_view> choices,
                              std::string_view fallback) {
  const YamlValue* value = find(key);
  if (value == nullptr) return std::string(fallback);
  std::string word = read_text(*value, key);
  if (std::ranges::find(choices, word) == choices.end()) {
    refuse(*value, key, fmt::format("one of {}", fmt::join(choices, ", ")));
  }
  return word;
}

bool MapReader::flag(std::string_view key, bool fallback) {
  const YamlValue* value = find(key);
  return value == nullptr ? fallback : read_flag(*value, key);
}

std::int64_t MapReader::integer(std::string_view key, std::int64_t fallback, IntegerRange range) {
  const YamlValue* value = find(key);
  return value == nullptr ? fallback : read_integer(*value, key, range.low, range.high);
}

double MapReader::number(std::string_view key, double fallback, NumberRange range) {
  const YamlValue* value = find(key);
  return value == nullptr ? fallback : read_number(*value, key, range.low, range.high);
}

std::vector<double> MapReader::numbers(std::string_view key, std::vector<double> fallback) {
  const YamlValue* value = find(key);
  if (value == nullptr) return fallback;
  if (value->kind != YamlValue::Kind::List) refuse(*value, key, "a list of numbers");
  std::vector<double> list;
  for (const YamlValue& item : value->items) list.push_back(read_number(item, key, -1e300, 1e300));
  return list;
}

std::vector<std::string> MapReader::texts(std::string_view key) {
  const YamlValue* value = find(key);
  if (value == nullptr) return {};
  if (value->kind == YamlValue::Kind::Scalar) return {value->scalar};
  if (value->kind != YamlValue::Kind::List) refuse(*value, key, "a list of texts");
  std::vector<std::string> list;
  for (const YamlValue& item : value->items) list.push_back(read_text(item, key));
  return list;
}

std::span<const YamlValue> MapReader::items(std::string_view key) {
  const YamlValue* value = find(key);
  return value == nullptr ? std::span<const YamlValue>() : read_items(*value, key);
}

void MapReader::finish() const {
  for (const auto& [key, value] : map_.entries) {
    if (std::ranges::find(known_, key) != known_.end()) continue;
    throw base::UserError({.what = fmt::format("unknown key '{}' in {}", key, what_),
                           .where = value.where(),
                           .hint = base::suggest_name(key, known_)});
  }
}

}  // namespace espalier::recipe
