#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// Images that run through a network together.
struct ImageUnit {
  std::vector<std::size_t> images = {};  ///< ascending
  /// Values of the first `num_kept` of them, from batches that are no longer held.
  std::vector<Tensor> kept = {};
  std::size_t num_kept = 0;
};

/// The rows of all parts, which agree in their other sizes, in the memory format of the first one.
[[nodiscard]] Tensor join_rows(const std::vector<Tensor>& parts);

/// Values of a batch: one image a row, all batches but the last with equally many.
using BatchValues = std::function<std::vector<Tensor>(std::size_t batch)>;

/// The values of a unit's images, one a row: those of the batch itself where the unit is one.
[[nodiscard]] std::vector<Tensor> gather_images(const ImageUnit& unit, std::size_t batch_size,
                                                const BatchValues& values);

}  // namespace espalier::recipe
