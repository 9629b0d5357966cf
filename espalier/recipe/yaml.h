#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace espalier::recipe {

/// A value of a YAML document with the place it was written at. Plain data: the parser's own types
/// stay in the source file.
struct YamlValue {
  enum class Kind { Null, Scalar, List, Map };

  /// Defined in the source: clang 16 cannot make them while pairs of this type are incomplete.
  YamlValue();
  YamlValue(const YamlValue& other);
  YamlValue(YamlValue&& other) noexcept;
  YamlValue& operator=(const YamlValue& other);
  YamlValue& operator=(YamlValue&& other) noexcept;
  ~YamlValue();

  Kind kind = Kind::Null;
  std::string scalar;                                      ///< text of a Scalar
  bool quoted = false;                                     ///< written in quotes: never a number
  std::vector<YamlValue> items;                            ///< of a List
  std::vector<std::pair<std::string, YamlValue>> entries;  ///< of a Map, in file order
  int line = 0;                                            ///< 1-based; 0 when made by a program
  std::shared_ptr<const std::string> source;               ///< file name, for messages

  /// "recipe.yaml:14".
  [[nodiscard]] std::string where() const;
  /// Null when there is no such key.
  [[nodiscard]] const YamlValue* find(std::string_view key) const;
  /// "a map", "a list", "the text 'x'", "nothing".
  [[nodiscard]] std::string describe() const;
};

/// Limits that keep a hostile document from using up stack or memory.
inline constexpr std::uint64_t kMaxYamlBytes = std::uint64_t{64} << 20;
inline constexpr int kMaxYamlDepth = 64;
inline constexpr std::size_t kMaxYamlValues = 1'000'000;

/// Throws UserError with file and line for a syntax error, a duplicate key, a key that is not text,
/// or a document beyond the limits.
[[nodiscard]] YamlValue parse_yaml(std::string_view text, const std::string& source);
[[nodiscard]] YamlValue load_yaml(const std::filesystem::path& path);

/// Block style, keys in order; reading it back gives an equal value.
[[nodiscard]] std::string print_yaml(const YamlValue& value);

/// @name Making values
/// @{
[[nodiscard]] YamlValue yaml_text(std::string text);
/// Never taken for a number or a word of YAML, as names of a model must not be.
[[nodiscard]] YamlValue yaml_quoted(std::string text);
[[nodiscard]] YamlValue yaml_number(double number);
[[nodiscard]] YamlValue yaml_integer(std::int64_t number);
[[nodiscard]] YamlValue yaml_flag(bool flag);
[[nodiscard]] YamlValue yaml_list(std::vector<YamlValue> items);
[[nodiscard]] YamlValue yaml_map(std::vector<std::pair<std::string, YamlValue>> entries);
/// @}

/// Throws UserError at the place of a value.
[[noreturn]] void refuse_value(const YamlValue& value, std::string what, std::string got,
                               std::string expected);

/// Applies `a.b.0.c=value` to a document: the value is parsed as YAML, missing keys are created,
/// list indices must exist. Throws UserError.
void override_yaml(YamlValue& document, const std::string& assignment);

}  // namespace espalier::recipe
