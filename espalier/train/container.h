#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace espalier::train {

/// Latest version of the file format; every earlier one is read.
inline constexpr std::uint32_t kContainerVersion = 1;

/// A named part of a container.
struct Section {
  std::string name;  ///< 1 to 16 printable ASCII characters
  std::string bytes;
};

/// A container taken apart; the views point into the bytes it was read from.
struct Container {
  std::uint32_t version = 0;
  std::map<std::string, std::string_view, std::less<>> sections;
};

/// True when the bytes begin as a container does.
[[nodiscard]] bool is_container(std::string_view bytes);

/// One file of sections (docs/formats.md). All numbers are little endian:
///   magic 89 45 53 50 41 0D 0A 1A, u32 version, u32 count, u64 size of the file,
///   count x {name, 16 bytes padded with 0; u64 offset, u64 size, u32 CRC-32C, u32 zero},
///   u32 CRC-32C of everything before it, u32 zero,
///   the sections in order, each padded with 0 to a multiple of 8.
[[nodiscard]] std::string encode_container(const std::vector<Section>& sections);

/// Takes a container apart. `source` names it in messages. Any cut or changed bit, and a version
/// above kContainerVersion, throws UserError.
[[nodiscard]] Container decode_container(std::string_view bytes, std::string_view source);

}  // namespace espalier::train
