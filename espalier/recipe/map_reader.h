#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// @name Typed scalars
/// Throw UserError with file, line, what was found and what is wanted. `what` names the key.
/// @{
[[nodiscard]] std::string read_text(const YamlValue& value, std::string_view what);
[[nodiscard]] bool read_flag(const YamlValue& value, std::string_view what);
[[nodiscard]] std::int64_t read_integer(const YamlValue& value, std::string_view what,
                                        std::int64_t low, std::int64_t high);
[[nodiscard]] double read_number(const YamlValue& value, std::string_view what, double low,
                                 double high);
/// @}

/// The entries of a list of maps. Throws UserError for anything else: a map in its place would be
/// no entry at all.
[[nodiscard]] std::span<const YamlValue> read_items(const YamlValue& value, std::string_view what);

/// Reads a map key by key and at the end refuses the keys that nobody asked for, naming the nearest
/// known one.
class MapReader {
 public:
  /// `what` names the map in messages ("stage 'train'"). Throws UserError when it is not a map.
  MapReader(const YamlValue& map, std::string what);

  /// The value of a key, or null; marks the key as known.
  [[nodiscard]] const YamlValue* find(std::string_view key);
  /// As find; a missing key is a UserError.
  [[nodiscard]] const YamlValue& require(std::string_view key);

  [[nodiscard]] std::string text(std::string_view key, std::string fallback);
  [[nodiscard]] std::string choice(std::string_view key, std::span<const std::string_view> choices,
                                   std::string_view fallback);
  [[nodiscard]] bool flag(std::string_view key, bool fallback);
  struct IntegerRange {
    std::int64_t low;
    std::int64_t high;
  };
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback,
                                     IntegerRange range);
  struct NumberRange {
    double low;
    double high;
  };
  [[nodiscard]] double number(std::string_view key, double fallback, NumberRange range);
  [[nodiscard]] std::vector<double> numbers(std::string_view key, std::vector<double> fallback);
  [[nodiscard]] std::vector<std::string> texts(std::string_view key);
  /// read_items; nothing for a missing key.
  [[nodiscard]] std::span<const YamlValue> items(std::string_view key);

  /// Throws UserError for the first key that was never asked for.
  void finish() const;

  [[nodiscard]] const YamlValue& map() const { return map_; }

 private:
  const YamlValue& map_;
  std::string what_;
  std::vector<std::string> known_;
};

}  // namespace espalier::recipe
