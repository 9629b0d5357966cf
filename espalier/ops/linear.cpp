// Convolutions and matrix products.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr std::array kLinearFacts{
    OpFacts{.name = "Conv",
            .kind = OpKind::Convolution,
            .weight = 1,
            .bias = 2,
            .weight_axis = WeightAxis::First,
            .cost = CostRule::Convolution,
            .trainable = port(1) | port(2)},
    OpFacts{.name = "ConvTranspose",
            .kind = OpKind::ConvTranspose,
            .weight = 1,
            .bias = 2,
            .weight_axis = WeightAxis::Second,
            .cost = CostRule::ConvTranspose,
            .trainable = port(1) | port(2)},
    OpFacts{.name = "DeformConv",
            .kind = OpKind::Convolution,
            .data = port(0) | port(2) | port(4),
            .weight = 1,
            .bias = 3,
            .weight_axis = WeightAxis::First,
            .cost = CostRule::Convolution,
            .trainable = port(1) | port(3)},
    OpFacts{.name = "Gemm",
            .kind = OpKind::Gemm,
            .weight = 1,
            .bias = 2,
            .weight_axis = WeightAxis::ByTransposeB,
            .cost = CostRule::Gemm,
            .trainable = port(1) | port(2)},
    OpFacts{.name = "MatMul",
            .kind = OpKind::MatMul,
            .data = port(0) | port(1),
            .weight = 1,
            .weight_axis = WeightAxis::Last,
            .cost = CostRule::MatMul,
            .trainable = port(1)},
    OpFacts{.name = "Einsum",
            .kind = OpKind::MatMul,
            .data = kAllPorts,
            .cost = CostRule::Einsum,
            .trainable = port(1)},
};

}  // namespace

std::span<const OpFacts> linear_family() {
  return kLinearFacts;
}

}  // namespace espalier::ops
