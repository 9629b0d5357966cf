// Elementwise arithmetic, comparison and logic.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kUnary = OpKind::Unary;
constexpr auto kBinary = OpKind::Binary;
constexpr PortSet kPair = port(0) | port(1);

constexpr std::array kElementwiseFacts{
    OpFacts{.name = "Identity", .kind = kUnary, .passes_values = true, .monotonic = true},
    OpFacts{.name = "Dropout", .kind = kUnary, .passes_values = true, .monotonic = true},
    OpFacts{.name = "Cast", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "CastLike", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Abs", .kind = kUnary, .low = 0},
    OpFacts{.name = "Neg", .kind = kUnary},
    OpFacts{.name = "Exp", .kind = kUnary, .monotonic = true, .low = 0},
    OpFacts{.name = "Log", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Sqrt", .kind = kUnary, .monotonic = true, .low = 0},
    OpFacts{.name = "Reciprocal", .kind = kUnary},
    OpFacts{.name = "Sign", .kind = kUnary, .monotonic = true, .low = -1, .high = 1},
    OpFacts{.name = "Floor", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Ceil", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Round", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Erf", .kind = kUnary, .monotonic = true, .low = -1, .high = 1},
    OpFacts{.name = "Sin", .kind = kUnary, .low = -1, .high = 1},
    OpFacts{.name = "Cos", .kind = kUnary, .low = -1, .high = 1},
    OpFacts{.name = "Tan", .kind = kUnary},
    OpFacts{.name = "Asin", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Acos", .kind = kUnary},
    OpFacts{.name = "Atan", .kind = kUnary, .monotonic = true, .low = -1.5708, .high = 1.5708},
    OpFacts{.name = "Sinh", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Cosh", .kind = kUnary, .low = 1},
    OpFacts{.name = "Asinh", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Acosh", .kind = kUnary, .monotonic = true, .low = 0},
    OpFacts{.name = "Atanh", .kind = kUnary, .monotonic = true},
    OpFacts{.name = "Not", .kind = kUnary},
    OpFacts{.name = "BitwiseNot", .kind = kUnary},
    OpFacts{.name = "IsNaN", .kind = kUnary},
    OpFacts{.name = "IsInf", .kind = kUnary},
    OpFacts{.name = "Add", .kind = kBinary, .data = kPair, .trainable = kPair},
    OpFacts{.name = "Sub", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Mul", .kind = kBinary, .data = kPair, .trainable = kPair},
    OpFacts{.name = "Div", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Pow", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Mod", .kind = kBinary, .data = kPair},
    OpFacts{.name = "BitShift", .kind = kBinary, .data = kPair},
    OpFacts{.name = "BitwiseAnd", .kind = kBinary, .data = kPair},
    OpFacts{.name = "BitwiseOr", .kind = kBinary, .data = kPair},
    OpFacts{.name = "BitwiseXor", .kind = kBinary, .data = kPair},
    OpFacts{.name = "And", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Or", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Xor", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Equal", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Greater", .kind = kBinary, .data = kPair},
    OpFacts{.name = "GreaterOrEqual", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Less", .kind = kBinary, .data = kPair},
    OpFacts{.name = "LessOrEqual", .kind = kBinary, .data = kPair},
    OpFacts{.name = "Sum", .kind = kBinary, .data = kAllPorts},
    OpFacts{.name = "Mean", .kind = kBinary, .data = kAllPorts},
    OpFacts{.name = "Max", .kind = kBinary, .data = kAllPorts, .passes_values = true},
    OpFacts{.name = "Min", .kind = kBinary, .data = kAllPorts, .passes_values = true},
    OpFacts{.name = "Where", .kind = kBinary, .data = port(1) | port(2), .passes_values = true},
};

}  // namespace

std::span<const OpFacts> elementwise_family() {
  return kElementwiseFacts;
}

}  // namespace espalier::ops
