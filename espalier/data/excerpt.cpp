#include "espalier/data/excerpt.h"

#include <cstdint>

#include <fmt/format.h>

namespace espalier::data {
namespace {

/// Bytes of the UTF-8 sequence at the front of `text`, 0 when there is no valid one.
std::size_t sequence_length(std::string_view text) {
  const auto lead = static_cast<std::uint8_t>(text.front());
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 0;
  if (length == 0 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<std::uint8_t>(text[i]) & 0xC0) != 0x80) return 0;
  }
  const auto second = static_cast<std::uint8_t>(text[1]);
  const bool overlong = (lead == 0xE0 && second < 0xA0) || (lead == 0xF0 && second < 0x90);
  const bool surrogate_or_beyond =
      (lead == 0xED && second > 0x9F) || (lead == 0xF4 && second > 0x8F);
  return overlong || surrogate_or_beyond ? 0 : length;
}

}  // namespace

std::string excerpt(std::string_view text, std::size_t limit) {
  std::string result = "'";
  while (!text.empty() && result.size() < limit) {
    const std::size_t length = sequence_length(text);
    const auto byte = static_cast<std::uint8_t>(text.front());
    if (length == 0 || (length == 1 && (byte < 0x20 || byte == 0x7F))) {
      result += fmt::format("\\x{:02x}", byte);
      text.remove_prefix(1);
    } else {
      result += text.substr(0, length);
      text.remove_prefix(length);
    }
  }
  if (!text.empty()) result += "...";
  return result + "'";
}

}  // namespace espalier::data
