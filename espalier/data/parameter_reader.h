#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "espalier/data/config.h"

namespace espalier::data {

/// Takes typed values out of Parameters. Every call throws UserError naming owner, key, the value
/// found and what would be accepted. Ask for every key, then call finish().
class ParameterReader {
 public:
  struct IntegerRange {
    std::int64_t lowest = 0;
    std::int64_t highest = 0;
  };

  /// `owner` names the thing that is configured: "ResizeImage".
  ParameterReader(std::string_view owner, const Parameters& parameters, std::string_view where);

  [[nodiscard]] bool boolean(const std::string& key, bool otherwise);
  [[nodiscard]] std::int64_t integer(const std::string& key, std::int64_t otherwise,
                                     IntegerRange range);
  /// A number, or text of the form "1.0/255.0".
  [[nodiscard]] double number(const std::string& key, double otherwise);
  [[nodiscard]] std::string text(const std::string& key, std::string otherwise);
  [[nodiscard]] std::string required_text(const std::string& key);
  /// One of `choices`.
  [[nodiscard]] std::string choice(const std::string& key, std::string otherwise,
                                   std::span<const std::string> choices);
  /// A list of numbers; a single number counts as a list of one.
  [[nodiscard]] std::vector<double> numbers(const std::string& key, std::vector<double> otherwise);
  /// One whole number for both, or [width, height]; both in 1..65535.
  [[nodiscard]] std::optional<std::pair<int, int>> size(const std::string& key);
  /// Two numbers with 0 < first <= second.
  [[nodiscard]] std::pair<double, double> range(const std::string& key,
                                                std::pair<double, double> otherwise);

  [[nodiscard]] bool has(const std::string& key) const { return parameters_.contains(key); }
  /// Throws UserError when a key was given that nobody asked for.
  void finish() const;

  /// For checks that need several values at once.
  [[noreturn]] void fail(const std::string& key, std::string_view expected,
                         std::string_view hint = {}) const;

 private:
  [[nodiscard]] const Parameter* find(const std::string& key);
  [[nodiscard]] std::string place() const;

  std::string owner_;
  const Parameters& parameters_;
  std::string where_;
  std::vector<std::string> asked_;
};

/// A value as it would be written in a recipe.
[[nodiscard]] std::string to_string(const Parameter& value);

}  // namespace espalier::data
