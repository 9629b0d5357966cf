#pragma once

#include <cstdint>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::tensor {

/// Integer grid of a quantizer: codes are the integers qmin..qmax.
struct QuantGrid {
  int bits = 8;            ///< 2..16
  bool is_signed = false;  ///< s8 against u8
  bool narrow = false;     ///< signed: -(2^(b-1)-1)..2^(b-1)-1, as weights use it
  bool reduced = false;    ///< one bit less, for u8 x s8 on x86 without VNNI (weights in [-63, 63])

  [[nodiscard]] std::int64_t qmin() const;
  [[nodiscard]] std::int64_t qmax() const;
  bool operator==(const QuantGrid&) const = default;
};

/// The largest power of two by which the codes of a symmetric weight can be multiplied, its scale
/// divided, so that they stay within -64..64 (sums of two products with u8 codes then fit into 16
/// bits). Weights of few bits are written so: an int32 bias has the step s_x * s_w, which is coarse
/// where s_w is. 1 from 7 bits on.
[[nodiscard]] std::int64_t code_headroom(std::int64_t qmin, std::int64_t qmax);

/// Affine quantization q = clamp(round_half_even(x / s) + z, qmin, qmax), x' = (q - z) * s
/// (Jacob et al., CVPR 2018). One scale and zero point (per tensor), or one per index of `axis`.
struct QuantParams {
  QuantGrid grid = {};
  std::vector<float> scale = {};              ///< > 0, finite
  std::vector<std::int32_t> zero_point = {};  ///< same length as scale, in qmin..qmax
  int axis = -1;                              ///< -1: per tensor

  [[nodiscard]] bool per_channel() const { return axis >= 0; }
  bool operator==(const QuantParams&) const = default;
};

/// Scale and zero point of the range [low, high] on the grid. The range is first widened to contain
/// zero, so that zero is exactly representable. Symmetric: zero point is 0 (signed) or the middle
/// code (unsigned), scale from max(|low|, |high|). A degenerate range (0 or below 2^-126 / span)
/// gives scale 1. Throws UserError for a range that is not finite.
struct ScaleAndZero {
  float scale;
  std::int32_t zero_point;
};
[[nodiscard]] ScaleAndZero scale_for_range(double low, double high, const QuantGrid& grid,
                                           bool symmetric);

/// Codes of a float tensor as int32 (any grid), same shape. NaN maps to the zero point.
[[nodiscard]] Tensor quantize(const Tensor& values, const QuantParams& params);
/// Floats of codes.
[[nodiscard]] Tensor dequantize(const Tensor& codes, const QuantParams& params);
/// dequantize(quantize(x)).
[[nodiscard]] Tensor fake_quantize(const Tensor& values, const QuantParams& params);

}  // namespace espalier::tensor
