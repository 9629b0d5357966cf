#pragma once

#include <optional>
#include <string_view>

#include "espalier/ir/graph.h"
#include "espalier/tensor/quantize.h"

namespace espalier::passes {

/// FakeQuantize of the domain "espalier": inputs value, scale (float32: a scalar, or one a
/// channel), zero_point (int32, same shape; float32 while an estimator changes it); attributes
/// qmin, qmax, axis (per channel only). Computes tensor::fake_quantize. In training graphs also
/// input state and attributes estimator (ops/estimator.h), role, rate, symmetric.
inline constexpr std::string_view kFakeQuantize = "FakeQuantize";

[[nodiscard]] bool is_fake_quantize(const ir::Node& node);

/// The FakeQuantize that computes the value, or null.
[[nodiscard]] ir::Node* fake_quantize_behind(const ir::Value* value);

/// Adds the initializers `<name>_scale` and `<name>_zero_point` and the node `<name>_fake_quantize`
/// with output `<name>_dq` (names made unique) for a value called `name`, right after the
/// value's producer. Uses of the value are not changed. Returns the node.
ir::Node& add_fake_quantize(ir::Graph& graph, ir::Value& value, const tensor::QuantParams& params);

/// What a FakeQuantize node computes.
struct FakeQuantizeParams {
  std::int64_t qmin = 0;
  std::int64_t qmax = 0;
  std::optional<std::int64_t> axis;  ///< none: per tensor
  Tensor scale;                      ///< float32 vector
  Tensor zero_point;                 ///< int32 vector of the same length
};

/// Reads a FakeQuantize node. Throws UserError naming it when scale or zero point are not constants
/// of equal size, a scale is not positive and finite, or a zero point is outside of qmin..qmax.
[[nodiscard]] FakeQuantizeParams fake_quantize_params(const ir::Node& node);

/// tensor::code_headroom of a weight's quantizer; 1 where a zero point is not 0.
[[nodiscard]] std::int64_t weight_headroom(const FakeQuantizeParams& params);

/// clamp(round_half_even(values / scale) + zero_point, qmin, qmax) as int32, the arithmetic of
/// tensor::quantize.
[[nodiscard]] Tensor quantize_codes(const Tensor& values, const FakeQuantizeParams& params);

}  // namespace espalier::passes
