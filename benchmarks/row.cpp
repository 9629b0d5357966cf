#include "benchmarks/row.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace espalier::benchmarks {

std::string to_table(std::span<const Row> rows) {
  std::size_t width = 4;
  for (const Row& row : rows) width = std::max(width, row.name.size());
  std::string text =
      fmt::format("{:{}}  {:>8}  {:>9}  {:6}\n", "name", width, "value", "target", "result");
  for (const Row& row : rows) {
    const char* sign = row.bound == Bound::AtMost ? "<=" : ">=";
    const std::string value = row.failure.empty() ? fmt::format("{:.3f}", row.value) : "-";
    text += fmt::format("{:{}}  {:>8}  {} {:>6.2f}  {:6}  {}\n", row.name, width, value, sign,
                        row.target, row.passed() ? "pass" : "MISSED",
                        row.failure.empty() ? row.detail : row.failure);
  }
  return text;
}

std::string to_json(std::span<const Row> rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Row& row : rows) {
    nlohmann::ordered_json entry;
    entry["name"] = row.name;
    entry["value"] = row.failure.empty() ? nlohmann::ordered_json(row.value) : nullptr;
    entry["target"] = row.target;
    entry["pass"] = row.passed();
    entry["detail"] = row.failure.empty() ? row.detail : row.failure;
    list.push_back(std::move(entry));
  }
  return list.dump(2) + "\n";
}

}  // namespace espalier::benchmarks
