// Activation functions.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kActivation = OpKind::Activation;

constexpr std::array kActivationFacts{
    OpFacts{.name = "Relu", .kind = kActivation, .monotonic = true, .low = 0},
    OpFacts{.name = "LeakyRelu", .kind = kActivation, .monotonic = true},
    OpFacts{.name = "PRelu", .kind = kActivation, .trainable = port(1)},
    OpFacts{.name = "ThresholdedRelu", .kind = kActivation},
    OpFacts{.name = "Clip", .kind = kActivation, .monotonic = true},
    OpFacts{.name = "Elu", .kind = kActivation, .monotonic = true},
    OpFacts{.name = "Selu", .kind = kActivation, .monotonic = true},
    OpFacts{.name = "Celu", .kind = kActivation, .monotonic = true},
    OpFacts{.name = "Gelu", .kind = kActivation, .low = -0.1701},
    OpFacts{.name = "Mish", .kind = kActivation, .low = -0.3089},
    OpFacts{.name = "HardSwish", .kind = kActivation, .low = -0.375},
    OpFacts{.name = "HardSigmoid", .kind = kActivation, .monotonic = true, .low = 0, .high = 1},
    OpFacts{.name = "Sigmoid", .kind = kActivation, .monotonic = true, .low = 0, .high = 1},
    OpFacts{.name = "Tanh", .kind = kActivation, .monotonic = true, .low = -1, .high = 1},
    OpFacts{.name = "Softplus", .kind = kActivation, .monotonic = true, .low = 0},
    OpFacts{.name = "Softsign", .kind = kActivation, .monotonic = true, .low = -1, .high = 1},
    OpFacts{.name = "Softmax", .kind = kActivation, .low = 0, .high = 1},
    OpFacts{.name = "LogSoftmax", .kind = kActivation, .high = 0},
    OpFacts{.name = "Hardmax", .kind = kActivation, .low = 0, .high = 1},
    OpFacts{.name = "Shrink", .kind = kActivation},
};

}  // namespace

std::span<const OpFacts> activation_family() {
  return kActivationFacts;
}

}  // namespace espalier::ops
