#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace espalier::report {

/// A JSON value. Objects keep the order in which keys were added.
class Json {
 public:
  using Array = std::vector<Json>;
  using Member = std::pair<std::string, Json>;
  using Object = std::vector<Member>;

  Json() = default;                                             ///< null
  Json(bool value) : value_(value) {}                           // NOLINT
  Json(int value) : value_(std::int64_t{value}) {}              // NOLINT
  Json(std::int64_t value) : value_(value) {}                   // NOLINT
  Json(std::uint64_t value) : value_(value) {}                  // NOLINT
  Json(double value) : value_(value) {}                         // NOLINT
  Json(const char* value) : value_(std::string(value)) {}       // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  Json(std::string value) : value_(std::move(value)) {}         // NOLINT
  template <typename T>
  Json(const std::vector<T>& values) : value_(Array(values.begin(), values.end())) {}  // NOLINT
  Json(Array values) : value_(std::move(values)) {}                                    // NOLINT

  [[nodiscard]] static Json array() { return Json(Array{}); }
  [[nodiscard]] static Json object();
  /// An object of these members; keys must differ.
  [[nodiscard]] static Json object(std::initializer_list<Member> members);

  /// Adds to an array (null becomes one). InternalError on other kinds.
  Json& push_back(Json value);
  /// The member `key` of an object (null becomes one), added as null when missing.
  Json& operator[](std::string_view key);

  [[nodiscard]] bool is_null() const { return holds<std::monostate>(); }
  [[nodiscard]] bool is_bool() const { return holds<bool>(); }
  [[nodiscard]] bool is_number() const;
  [[nodiscard]] bool is_string() const { return holds<std::string>(); }
  [[nodiscard]] bool is_array() const { return holds<Array>(); }
  [[nodiscard]] bool is_object() const { return holds<Object>(); }

  /// @name Reading. Throws UserError naming the kind that was found.
  /// @{
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_integer() const;
  [[nodiscard]] double as_number() const;
  [[nodiscard]] const std::string& as_string() const;
  [[nodiscard]] const Array& items() const;
  [[nodiscard]] const Object& members() const;
  /// Null when there is no such member (or this is no object).
  [[nodiscard]] const Json* find(std::string_view key) const;
  /// Throws UserError naming the missing member.
  [[nodiscard]] const Json& at(std::string_view key) const;
  /// @}

  bool operator==(const Json&) const = default;

 private:
  friend struct JsonText;
  template <typename T>
  [[nodiscard]] bool holds() const {
    return std::holds_alternative<T>(value_);
  }

  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, Array,
               Object>
      value_;
};

/// An array of what `convert` makes of each item.
template <typename Items, typename Convert>
[[nodiscard]] Json to_array(const Items& items, const Convert& convert) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(convert(item));
  return list;
}

/// JSON text. `indent` < 0: one line. Numbers are the shortest that read back equal; NaN and
/// infinities become null; bytes that are no UTF-8 become U+FFFD.
[[nodiscard]] std::string to_text(const Json& value, int indent = 2);

/// Reads JSON text. Throws UserError naming `source`, line and column; nesting is limited to 200.
[[nodiscard]] Json parse_json(std::string_view text, std::string_view source);

}  // namespace espalier::report
