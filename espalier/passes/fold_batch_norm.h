#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Conv(x, W, b)                 z = BatchNormalization(y, gamma, beta, mean,
/// variance) After    z = Conv(x, W', b') Formula  a = gamma / sqrt(variance + epsilon), c = beta -
/// a * mean,
///          W'[o, ...] = a[o] * W[o, ...], b'[o] = a[o] * b[o] + c[o], in float64, then cast.
/// Also     ConvTranspose and Gemm in the place of Conv; and BatchNormalization directly before a
///          Conv without padding or a Gemm: W'[o, i, ...] = a[i] * W[o, i, ...],
///          b'[o] = b[o] + sum_{i, ...} c[i] * W[o, i, ...].
/// Conditions: inference statistics; all parameters constant; the value between the two nodes has
/// no
///          other use; the results are finite. Weights and biases with other users are copied.
[[nodiscard]] Pass fold_batch_norm();

/// The part of it that joins a BatchNormalization with the layer behind it, where none with a
/// constant weight comes before: what is left for training to normalize follows a layer.
[[nodiscard]] Pass fold_leading_batch_norm();

}  // namespace espalier::passes
