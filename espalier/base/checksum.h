#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace espalier::base {

/// CRC-32C (Castagnoli), as TensorBoard's record files and our container use it.
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

/// XXH3 (64 bits, seed 0) as 16 hexadecimal digits, to name content (not for security).
[[nodiscard]] std::string content_id(std::string_view bytes);

}  // namespace espalier::base
