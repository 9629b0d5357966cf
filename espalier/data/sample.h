#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::data {

/// A batch as models take it.
struct Batch {
  Tensor images;                      ///< float32 [N, C, H, W]
  Tensor labels;                      ///< int64 [N]; -1 where the data set has no label
  std::vector<std::int64_t> indices;  ///< position of each sample in the data set
};

}  // namespace espalier::data
