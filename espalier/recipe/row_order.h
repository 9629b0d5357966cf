#pragma once

#include <cstddef>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// Rows [first, last) of `keys` in ascending order, equal ones as they came: positions.
[[nodiscard]] std::vector<std::size_t> ascending(const std::vector<double>& keys, std::size_t first,
                                                 std::size_t last);

/// Moves rows among batches (along axis 0): row `first + i` of all batches together becomes what
/// row `order[i]` was. Sizes of batches stay; first and last lie between batches.
void move_rows(std::vector<Tensor>& batches, std::size_t first,
               const std::vector<std::size_t>& order);

}  // namespace espalier::recipe
