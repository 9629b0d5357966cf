#include "espalier/tensor/shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace espalier::tensor {

Shape make_shape(const std::vector<std::int64_t>& sizes) {
  Shape shape;
  shape.reserve(sizes.size());
  for (const std::int64_t size : sizes) shape.push_back({.size = size, .symbol = {}});
  return shape;
}

std::optional<std::vector<std::int64_t>> known_sizes(const Shape& shape) {
  std::vector<std::int64_t> sizes;
  sizes.reserve(shape.size());
  for (const Dim& dim : shape) {
    if (!dim.known()) return std::nullopt;
    sizes.push_back(*dim.size);
  }
  return sizes;
}

std::optional<std::int64_t> num_elements(const Shape& shape) {
  std::int64_t product = 1;
  for (const Dim& dim : shape) {
    if (!dim.known() || __builtin_mul_overflow(product, *dim.size, &product)) return std::nullopt;
  }
  return product;
}

std::string to_string(const Shape& shape) {
  std::vector<std::string> parts;
  parts.reserve(shape.size());
  for (const Dim& dim : shape) {
    parts.push_back(dim.known() ? fmt::to_string(*dim.size)
                                : (dim.symbol.empty() ? "?" : dim.symbol));
  }
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace espalier::tensor
