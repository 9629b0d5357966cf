#pragma once

#include <span>

namespace espalier::quant {

/// Adds to sums[c] and squares[c] the sum of x and of x^2 over the rows of a row-major matrix with
/// sums.size() columns. Each column is summed in row order, in blocks of fixed length in float, so
/// that the result does not depend on the instruction set.
void add_channel_sums(std::span<const float> rows, std::span<double> sums,
                      std::span<double> squares);

}  // namespace espalier::quant
