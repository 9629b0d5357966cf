#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <c10/core/ScalarType.h>
#include <gmock/gmock.h>

#include "espalier/tensor/tensor.h"

namespace espalier::kit {

using Sizes = std::vector<std::int64_t>;

/// A float32 tensor of these values; without sizes, a vector.
[[nodiscard]] Tensor tensor_of(const std::vector<float>& values, const Sizes& sizes = {-1});
/// An int64 tensor of these values; without sizes, a vector.
[[nodiscard]] Tensor integers_of(const std::vector<std::int64_t>& values,
                                 const Sizes& sizes = {-1});

/// What random_tensor draws from.
struct Draw {
  double low = -1.0;  ///< uniform in [low, high)
  double high = 1.0;
  bool normal = false;  ///< standard normal instead; low and high are ignored
  at::ScalarType type = at::kFloat;
};

/// Random numbers that depend on the seed alone (base::Random), whatever the version of libtorch.
[[nodiscard]] Tensor random_tensor(const Sizes& sizes, std::uint64_t seed, const Draw& draw = {});

/// How far two elements may lie apart: |a - b| <= absolute + relative * |b|.
struct Tolerance {
  double absolute = 1e-6;
  double relative = 1e-5;
};

/// "" when both have the same sizes and every element is within the tolerance (NaN equals NaN,
/// infinities equal themselves); otherwise what differs: sizes, or the first differing element with
/// its index, how many differ, and the largest difference. Types may differ.
[[nodiscard]] std::string difference(const Tensor& actual, const Tensor& expected,
                                     const Tolerance& tolerance);
/// "" when type, sizes and every bit agree.
[[nodiscard]] std::string bit_difference(const Tensor& actual, const Tensor& expected);

/// EXPECT_THAT(actual, IsCloseTo(expected)); the failure names the first difference.
MATCHER_P(IsCloseTo, expected, "") {
  const std::string text = difference(arg, expected, Tolerance{});
  *result_listener << text;
  return text.empty();
}

/// EXPECT_THAT(actual, IsCloseTo(expected, Tolerance{.absolute = 1e-3})).
MATCHER_P2(IsCloseTo, expected, tolerance, "") {
  const std::string text = difference(arg, expected, tolerance);
  *result_listener << text;
  return text.empty();
}

/// EXPECT_THAT(actual, HasSameBits(expected)): equal type, sizes and bits.
MATCHER_P(HasSameBits, expected, "") {
  const std::string text = bit_difference(arg, expected);
  *result_listener << text;
  return text.empty();
}

/// Values in row-major order as double, for element-wise comparisons in a test.
[[nodiscard]] std::vector<double> values_of(const Tensor& tensor);

}  // namespace espalier::kit
