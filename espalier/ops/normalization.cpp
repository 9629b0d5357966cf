// Normalizations.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kNormalization = OpKind::Normalization;

constexpr std::array kNormalizationFacts{
    OpFacts{.name = "BatchNormalization",
            .kind = kNormalization,
            .trainable = port(1) | port(2),
            .running_statistics = port(3) | port(4)},
    OpFacts{
        .name = "InstanceNormalization", .kind = kNormalization, .trainable = port(1) | port(2)},
    OpFacts{.name = "GroupNormalization", .kind = kNormalization, .trainable = port(1) | port(2)},
    OpFacts{.name = "LayerNormalization", .kind = kNormalization, .trainable = port(1) | port(2)},
    OpFacts{.name = "RMSNormalization", .kind = kNormalization, .trainable = port(1)},
    OpFacts{.name = "LpNormalization", .kind = kNormalization, .low = -1, .high = 1},
    OpFacts{.name = "MeanVarianceNormalization", .kind = kNormalization},
    OpFacts{.name = "LRN", .kind = kNormalization},
};

}  // namespace

std::span<const OpFacts> normalization_family() {
  return kNormalizationFacts;
}

}  // namespace espalier::ops
