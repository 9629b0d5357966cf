#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace espalier::tensor {

/// One dimension: a size, or unknown with an optional name ("batch", "height").
struct Dim {
  std::optional<std::int64_t> size;
  std::string symbol;

  [[nodiscard]] bool known() const { return size.has_value(); }
  bool operator==(const Dim&) const = default;
};

/// Dimensions outermost first; an empty vector is a scalar.
using Shape = std::vector<Dim>;

/// Sizes that stand in for unknown ones beside the batch: a width for axis 3, a height for others.
struct OpenSizes {
  std::int64_t height = 224;
  std::int64_t width = 224;
  [[nodiscard]] std::int64_t along(std::size_t axis) const { return axis == 3 ? width : height; }
};

/// Shape with known sizes.
[[nodiscard]] Shape make_shape(const std::vector<std::int64_t>& sizes);
/// The sizes, or nothing when one is unknown.
[[nodiscard]] std::optional<std::vector<std::int64_t>> known_sizes(const Shape& shape);
/// Elements, or nothing when a size is unknown or the product overflows 63 bits.
[[nodiscard]] std::optional<std::int64_t> num_elements(const Shape& shape);
/// "[N, 3, 32, 32]"; '?' for an unnamed unknown.
[[nodiscard]] std::string to_string(const Shape& shape);

}  // namespace espalier::tensor
