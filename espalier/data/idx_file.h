#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace espalier::data {

/// An array of bytes in the IDX format of MNIST.
struct IdxArray {
  std::vector<std::int64_t> sizes;
  std::vector<std::uint8_t> bytes;
};

/// Reads an IDX file, plain or compressed with gzip. Throws UserError when it is missing, of
/// another kind, not of bytes, cut off, longer than it says, or above 2 GiB.
[[nodiscard]] IdxArray read_idx_file(const std::filesystem::path& path);

}  // namespace espalier::data
