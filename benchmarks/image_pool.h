#pragma once

#include <cstdint>

#include "espalier/quant/calibrate.h"
#include "espalier/tensor/tensor.h"

namespace espalier::benchmarks {

/// Seeded normal images [count, 3, size, size]. Small pools are cycled, so that drawing numbers
/// costs nothing beside what is measured.
[[nodiscard]] Tensor make_images(std::int64_t count, std::int64_t size, std::uint64_t seed);

/// Gives `total` images from the pool, `batch` at a time.
[[nodiscard]] quant::BatchSource cycle_images(const Tensor& pool, std::int64_t total,
                                              std::int64_t batch);

}  // namespace espalier::benchmarks
