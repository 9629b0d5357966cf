#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace espalier::data {

/// The bytes of an IDX file of unsigned bytes.
[[nodiscard]] inline std::string idx_content(const std::vector<std::uint32_t>& sizes,
                                             const std::string& data) {
  std::string content{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes) {
    for (int shift = 24; shift >= 0; shift -= 8) content += static_cast<char>(size >> shift & 0xFF);
  }
  return content + data;
}

}  // namespace espalier::data
