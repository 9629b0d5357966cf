#include "espalier/recipe/yaml_difference.h"

#include <algorithm>

#include <fmt/format.h>

namespace espalier::recipe {
namespace {

using Kind = YamlValue::Kind;

/// The value on one line.
std::string text_of(const YamlValue& value) {
  switch (value.kind) {
    case Kind::Null:
      return "nothing";
    case Kind::Scalar:
      return value.scalar;
    case Kind::List:
    case Kind::Map:
      break;
  }
  std::string text;
  const auto append = [&text](const std::string& part) {
    text += (text.empty() ? "" : ", ") + part;
  };
  for (const YamlValue& item : value.items) append(text_of(item));
  for (const auto& [key, entry] : value.entries) append(key + ": " + text_of(entry));
  return value.kind == Kind::List ? '[' + text + ']' : '{' + text + '}';
}

std::string join(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + '.' + key;
}

/// Keys of a map or indices of a list, with their values.
std::vector<std::pair<std::string, const YamlValue*>> parts_of(const YamlValue& value) {
  std::vector<std::pair<std::string, const YamlValue*>> parts;
  for (std::size_t index = 0; index < value.items.size(); ++index) {
    parts.emplace_back(std::to_string(index), &value.items[index]);
  }
  for (const auto& [key, entry] : value.entries) parts.emplace_back(key, &entry);
  return parts;
}

void compare(const YamlValue& before, const YamlValue& after, const std::string& path,
             std::vector<YamlDifference>& found) {
  const bool nested = before.kind == after.kind && before.kind != Kind::Scalar;
  if (!nested) {
    const bool same = before.kind == after.kind && before.scalar == after.scalar;
    if (!same) found.push_back({.path = path, .before = text_of(before), .after = text_of(after)});
    return;
  }
  const auto old_parts = parts_of(before);
  const auto new_parts = parts_of(after);
  const auto find = [](const auto& parts, const std::string& key) {
    return std::ranges::find(parts, key, [](const auto& part) { return part.first; });
  };
  for (const auto& [key, value] : new_parts) {
    const auto old = find(old_parts, key);
    if (old != old_parts.end()) {
      compare(*old->second, *value, join(path, key), found);
    } else {
      found.push_back({.path = join(path, key), .before = "", .after = text_of(*value)});
    }
  }
  for (const auto& [key, value] : old_parts) {
    if (find(new_parts, key) != new_parts.end()) continue;
    found.push_back({.path = join(path, key), .before = text_of(*value), .after = ""});
  }
}

}  // namespace

std::vector<YamlDifference> yaml_differences(const YamlValue& before, const YamlValue& after) {
  std::vector<YamlDifference> found;
  compare(before, after, "", found);
  return found;
}

std::string to_text(const YamlDifference& difference) {
  if (difference.before.empty()) {
    return fmt::format("{}: {} (new)", difference.path, difference.after);
  }
  if (difference.after.empty()) {
    return fmt::format("{}: {} (gone)", difference.path, difference.before);
  }
  return fmt::format("{}: {} -> {}", difference.path, difference.before, difference.after);
}

}  // namespace espalier::recipe
