#pragma once

#include <cstdint>
#include <span>

namespace espalier::exec {

/// Most elements of a tensor whose sizes come from a model's attributes or numbers: 8 GiB in
/// float32. Tensors as large as their operands need no limit of their own; together all tensors
/// stay within the machine's memory (tensor/caching_allocator.h).
inline constexpr std::int64_t kMaxElements = std::int64_t{1} << 31;

/// Call before anything of this size is allocated. Throws std::invalid_argument where a size is
/// negative, or where the sizes (0 counts as 1) multiply to more than kMaxElements.
void check_elements(std::span<const std::int64_t> sizes);

/// check_elements of sizes whose last axes are padded (negative: cut) by `begin` and `end`, which
/// have equal lengths of at most the number of sizes.
void check_padded(std::span<const std::int64_t> sizes, std::span<const std::int64_t> begin,
                  std::span<const std::int64_t> end);

}  // namespace espalier::exec
