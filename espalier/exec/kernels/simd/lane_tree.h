#pragma once

#include <cstddef>

namespace espalier::exec::simd {

/// Lanes in which every instruction set takes sums.
inline constexpr std::size_t kSumLanes = 16;

/// Adds them as a tree: 8 pairs, 4 pairs, 2 pairs, 1. Overwrites the lanes.
inline float add_as_tree(float* lanes) {
  for (std::size_t half = kSumLanes / 2; half > 0; half /= 2) {
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

}  // namespace espalier::exec::simd
