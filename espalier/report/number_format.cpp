#include "espalier/report/number_format.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace espalier::report {
namespace {

struct CodePoint {
  std::uint32_t value = 0;
  std::size_t length = 1;
};

CodePoint decode_front(std::string_view text) {
  const auto byte = [&](std::size_t place) { return static_cast<std::uint8_t>(text[place]); };
  const std::uint8_t lead = byte(0);
  const std::size_t length = lead < 0xC0 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  if (length == 1 || length > text.size()) return {.value = lead, .length = 1};
  std::uint32_t value = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return {.value = lead, .length = 1};
    value = value << 6 | (byte(i) & 0x3FU);
  }
  return {.value = value, .length = length};
}

using Range = std::pair<std::uint32_t, std::uint32_t>;
constexpr std::array kWide{Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},  Range{0x3041, 0xA4CF},
                           Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},  Range{0xFE30, 0xFE6F},
                           Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},  Range{0x1F300, 0x1F64F},
                           Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};
constexpr std::array kCombining{Range{0x0300, 0x036F}, Range{0x200B, 0x200F},
                                Range{0xFE00, 0xFE0F}};

template <std::size_t kCount>
bool is_in(const std::array<Range, kCount>& ranges, std::uint32_t value) {
  for (const auto& [first, last] : ranges) {
    if (value >= first && value <= last) return true;
  }
  return false;
}

/// Three significant digits with the largest prefix that leaves a number of at least 1.
std::string scaled(double value, std::string_view unit) {
  if (std::isnan(value)) return "-";
  constexpr std::array<std::string_view, 6> kPrefixes{"", "k", "M", "G", "T", "P"};
  std::size_t prefix = 0;
  while (std::abs(value) >= 999.5 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  const int digits = prefix == 0 && value == std::floor(value) ? 0
                     : std::abs(value) < 9.995                 ? 2
                     : std::abs(value) < 99.95                 ? 1
                                                               : 0;
  const std::string suffix = fmt::format("{}{}", kPrefixes[prefix], unit);
  return fmt::format("{:.{}f}{}{}", value, digits, suffix.empty() ? "" : " ", suffix);
}

}  // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    const CodePoint point = decode_front(text);
    text.remove_prefix(point.length);
    if (!is_in(kCombining, point.value)) width += is_in(kWide, point.value) ? 2 : 1;
  }
  return width;
}

std::string format_bytes(double bytes) {
  return scaled(bytes, "B");
}

std::string format_count(double count) {
  return scaled(count, "");
}

std::string format_percent(double share) {
  return std::isnan(share) ? "-" : fmt::format("{:.2f} %", 100 * share);
}

std::string format_milliseconds(double value) {
  if (std::isnan(value)) return "-";
  if (std::abs(value) < 0.9995) return fmt::format("{:.0f} us", value * 1000);
  if (std::abs(value) >= 9995) return fmt::format("{:.1f} s", value / 1000);
  const int digits = std::abs(value) < 9.995 ? 2 : std::abs(value) < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} ms", value, digits);
}

std::string format_duration(double seconds) {
  if (std::isnan(seconds)) return "-";
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = std::llround(seconds);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  const auto minutes = (whole + 30) / 60;
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

}  // namespace espalier::report
