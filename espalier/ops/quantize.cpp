// Integer codes: conversion, and arithmetic on codes.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kQuantize = OpKind::Quantize;

constexpr std::array kQuantizeFacts{
    OpFacts{.name = "FakeQuantize",
            .kind = kQuantize,
            .domain = ir::kEspalierDomain,
            .monotonic = true},
    OpFacts{.name = "QuantizeLinear", .kind = kQuantize, .monotonic = true},
    OpFacts{.name = "DequantizeLinear", .kind = kQuantize, .monotonic = true},
    OpFacts{.name = "DynamicQuantizeLinear", .kind = kQuantize},
    OpFacts{.name = "QLinearConv",
            .kind = kQuantize,
            .weight = 3,
            .bias = 8,
            .weight_axis = WeightAxis::First,
            .cost = CostRule::Convolution},
    OpFacts{.name = "QLinearMatMul",
            .kind = kQuantize,
            .data = port(0) | port(3),
            .weight = 3,
            .weight_axis = WeightAxis::Last,
            .cost = CostRule::MatMul},
    OpFacts{.name = "ConvInteger",
            .kind = kQuantize,
            .weight = 1,
            .weight_axis = WeightAxis::First,
            .cost = CostRule::Convolution},
    OpFacts{.name = "MatMulInteger",
            .kind = kQuantize,
            .data = port(0) | port(1),
            .weight = 1,
            .weight_axis = WeightAxis::Last,
            .cost = CostRule::MatMul},
};

}  // namespace

std::span<const OpFacts> quantize_family() {
  return kQuantizeFacts;
}

}  // namespace espalier::ops
