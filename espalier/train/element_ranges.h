#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::train {

/// A run of elements, in memory order, of one of several tensors.
struct ElementRange {
  std::size_t tensor = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// Splits tensors into runs of at most 16384 elements, in order; undefined tensors have none. The
/// split does not depend on the number of threads, so what is computed run by run does not either.
[[nodiscard]] std::vector<ElementRange> split_elements(std::span<const Tensor> tensors);

/// Calls `work` with every index below `ranges.size()`, spread evenly over the threads.
void for_each_range(const std::vector<ElementRange>& ranges,
                    const std::function<void(std::size_t index)>& work);

}  // namespace espalier::train
