#include "espalier/data/parameter_reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/data/excerpt.h"

namespace espalier::data {
namespace {

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// "a" or "a/b", the two forms that PaddleClas recipes use.
std::optional<double> parse_fraction(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return parse_number(text);
  const auto numerator = parse_number(text.substr(0, slash));
  const auto denominator = parse_number(text.substr(slash + 1));
  if (!numerator || !denominator || *denominator == 0) return std::nullopt;
  return *numerator / *denominator;
}

std::optional<double> as_number(const Parameter& value) {
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* written = std::get_if<std::string>(&value)) return parse_fraction(*written);
  return std::nullopt;
}

std::optional<int> as_length(double value) {
  constexpr double kLongest = 65535;
  if (!(value >= 1 && value <= kLongest) || value != std::floor(value)) return std::nullopt;
  return static_cast<int>(value);
}

}  // namespace

std::string to_string(const Parameter& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *whole);
  if (const auto* real = std::get_if<double>(&value)) return fmt::format("{}", *real);
  if (const auto* written = std::get_if<std::string>(&value)) return excerpt(*written);
  return fmt::format("[{}]", fmt::join(std::get<std::vector<double>>(value), ", "));
}

ParameterReader::ParameterReader(std::string_view owner, const Parameters& parameters,
                                 std::string_view where)
    : owner_(owner), parameters_(parameters), where_(where) {}

std::string ParameterReader::place() const {
  return where_.empty() ? owner_ : fmt::format("{} ({})", where_, owner_);
}

const Parameter* ParameterReader::find(const std::string& key) {
  asked_.push_back(key);
  const auto found = parameters_.find(key);
  return found == parameters_.end() ? nullptr : &found->second;
}

void ParameterReader::fail(const std::string& key, std::string_view expected,
                           std::string_view hint) const {
  const auto found = parameters_.find(key);
  throw base::UserError({.what = fmt::format("bad value of '{}'", key),
                         .where = place(),
                         .got = found == parameters_.end() ? "nothing" : to_string(found->second),
                         .expected = std::string(expected),
                         .hint = std::string(hint)});
}

bool ParameterReader::boolean(const std::string& key, bool otherwise) {
  const Parameter* value = find(key);
  if (value == nullptr) return otherwise;
  if (const auto* flag = std::get_if<bool>(value)) return *flag;
  fail(key, "true or false");
}

std::int64_t ParameterReader::integer(const std::string& key, std::int64_t otherwise,
                                      IntegerRange range) {
  const Parameter* value = find(key);
  if (value == nullptr) return otherwise;
  const auto* whole = std::get_if<std::int64_t>(value);
  if (whole == nullptr || *whole < range.lowest || *whole > range.highest) {
    const bool open = range.highest == std::numeric_limits<std::int64_t>::max();
    fail(key, open ? fmt::format("a whole number >= {}", range.lowest)
                   : fmt::format("a whole number in {}..{}", range.lowest, range.highest));
  }
  return *whole;
}

double ParameterReader::number(const std::string& key, double otherwise) {
  const Parameter* value = find(key);
  if (value == nullptr) return otherwise;
  const std::optional<double> result = as_number(*value);
  if (!result || !std::isfinite(*result)) fail(key, "a number, or a fraction such as '1.0/255.0'");
  return *result;
}

std::string ParameterReader::text(const std::string& key, std::string otherwise) {
  const Parameter* value = find(key);
  if (value == nullptr) return otherwise;
  if (const auto* written = std::get_if<std::string>(value)) return *written;
  fail(key, "text");
}

std::string ParameterReader::required_text(const std::string& key) {
  std::string result = text(key, "");
  if (!result.empty()) return result;
  const std::vector<std::string> wanted{key};
  std::string hint;
  for (const auto& [given, value] : parameters_) {
    const bool near = given != key && !base::nearest_name(given, wanted).empty();
    if (near) hint = fmt::format("'{}' is given: did you mean '{}'", given, key);
  }
  throw base::UserError({.what = fmt::format("'{}' is missing", key),
                         .where = place(),
                         .expected = "a path",
                         .hint = std::move(hint)});
}

std::string ParameterReader::choice(const std::string& key, std::string otherwise,
                                    std::span<const std::string> choices) {
  const Parameter* value = find(key);
  if (value == nullptr) return otherwise;
  const auto* written = std::get_if<std::string>(value);
  if (written == nullptr || std::ranges::find(choices, *written) == choices.end()) {
    const std::string expected = fmt::format("one of '{}'", fmt::join(choices, "', '"));
    const std::string near = written == nullptr ? "" : base::nearest_name(*written, choices);
    fail(key, expected, near.empty() ? "" : fmt::format("did you mean '{}'", near));
  }
  return *written;
}

std::vector<double> ParameterReader::numbers(const std::string& key,
                                             std::vector<double> otherwise) {
  const Parameter* value = find(key);
  if (value == nullptr) return otherwise;
  std::vector<double> result;
  if (const auto* list = std::get_if<std::vector<double>>(value)) {
    result = *list;
  } else if (const std::optional<double> single = as_number(*value)) {
    result = {*single};
  }
  if (result.empty() || !std::ranges::all_of(result, [](double x) { return std::isfinite(x); })) {
    fail(key, "a list of numbers");
  }
  return result;
}

std::optional<std::pair<int, int>> ParameterReader::size(const std::string& key) {
  const Parameter* value = find(key);
  if (value == nullptr) return std::nullopt;
  std::vector<double> lengths;
  if (const auto* list = std::get_if<std::vector<double>>(value)) lengths = *list;
  if (const auto* whole = std::get_if<std::int64_t>(value)) {
    lengths = {static_cast<double>(*whole), static_cast<double>(*whole)};
  }
  if (lengths.size() == 2) {
    const std::optional<int> width = as_length(lengths[0]);
    const std::optional<int> height = as_length(lengths[1]);
    if (width && height) return std::pair(*width, *height);
  }
  fail(key, "a whole number or [width, height], each in 1..65535");
}

std::pair<double, double> ParameterReader::range(const std::string& key,
                                                 std::pair<double, double> otherwise) {
  const Parameter* value = find(key);
  if (value == nullptr) return otherwise;
  const auto* list = std::get_if<std::vector<double>>(value);
  const bool good = list != nullptr && list->size() == 2 && (*list)[0] > 0 &&
                    (*list)[0] <= (*list)[1] && std::isfinite((*list)[1]);
  if (!good) fail(key, "two numbers [low, high] with 0 < low <= high");
  return {(*list)[0], (*list)[1]};
}

void ParameterReader::finish() const {
  for (const auto& [key, value] : parameters_) {
    if (std::ranges::find(asked_, key) != asked_.end()) continue;
    throw base::UserError(
        {.what = fmt::format("unknown key '{}'", key),
         .where = place(),
         .hint = asked_.empty() ? "it has no keys" : base::suggest_name(key, asked_)});
  }
}

}  // namespace espalier::data
