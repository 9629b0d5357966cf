#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "espalier/tensor/shape.h"

namespace espalier::prune {

/// Consecutive axes of both shapes with the same product of sizes, none of size 1.
struct AxisBlock {
  std::vector<std::size_t> inputs;
  std::vector<std::size_t> outputs;
  bool operator==(const AxisBlock&) const = default;
};

/// How the axes of two shapes of the same elements in row-major order correspond.
struct AlignedShapes {
  std::vector<std::pair<std::size_t, std::size_t>> same;  ///< input axis, output axis
  std::vector<AxisBlock> blocks;                          ///< several axes on a side
  /// Innermost input and output axis behind unknown sizes, where one size is a multiple of the
  /// other: position p of the longer one is position p modulo the shorter one's size, whatever lies
  /// further out. (Attention whose heads are merged with the batch: [T, N, 4 * 8] to [T, N * 4,
  /// 8].)
  std::optional<std::pair<std::size_t, std::size_t>> repeated = std::nullopt;
  /// Axes of known size that are merged with or split from unknown sizes.
  std::vector<std::size_t> unmatched_inputs;
  std::vector<std::size_t> unmatched_outputs;
};

/// Aligns the shapes of a reshape. Axes of size 1 correspond to nothing. One unknown size on each
/// side (the batch) is equal when the products of all known sizes are; where it is not, innermost
/// axes of equal sizes still correspond, and behind them `repeated` ones.
[[nodiscard]] AlignedShapes align_shapes(const tensor::Shape& input, const tensor::Shape& output);

/// A factor of the sizes of a block: a run of equal meaning in one axis on each side.
struct Factor {
  std::int64_t size = 1;
  std::size_t input = 0;          ///< which of the block's input axes holds it
  std::int64_t input_stride = 1;  ///< its coordinate in position p is p / stride % size
  std::size_t output = 0;         ///< which of the block's output axes holds it
  std::int64_t output_stride = 1;
  bool operator==(const Factor&) const = default;
};

/// The factors that both sides of a block are made of, outermost first: sizes {6, 4} and {2, 12}
/// are {2, 3, 4}. Nothing when the boundaries do not divide each other (6, 4 against 4, 6).
[[nodiscard]] std::optional<std::vector<Factor>> common_factors(
    const std::vector<std::int64_t>& input, const std::vector<std::int64_t>& output);

}  // namespace espalier::prune
