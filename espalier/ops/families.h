#pragma once

#include <span>

#include "espalier/ops/facts.h"

namespace espalier::ops {

// The tables that facts.cpp joins, one source file an operator family.
[[nodiscard]] std::span<const OpFacts> activation_family();
[[nodiscard]] std::span<const OpFacts> control_family();
[[nodiscard]] std::span<const OpFacts> elementwise_family();
[[nodiscard]] std::span<const OpFacts> linear_family();
[[nodiscard]] std::span<const OpFacts> movement_family();
[[nodiscard]] std::span<const OpFacts> normalization_family();
[[nodiscard]] std::span<const OpFacts> pool_family();
[[nodiscard]] std::span<const OpFacts> quantize_family();
[[nodiscard]] std::span<const OpFacts> reduction_family();
[[nodiscard]] std::span<const OpFacts> shape_family();

}  // namespace espalier::ops
