// Pooling.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kPool = OpKind::Pool;

constexpr std::array kPoolFacts{
    OpFacts{.name = "MaxPool", .kind = kPool, .passes_values = true},
    OpFacts{.name = "GlobalMaxPool", .kind = kPool, .passes_values = true},
    OpFacts{.name = "AveragePool", .kind = kPool},
    OpFacts{.name = "GlobalAveragePool", .kind = kPool},
    OpFacts{.name = "LpPool", .kind = kPool, .low = 0},
    OpFacts{.name = "GlobalLpPool", .kind = kPool, .low = 0},
    OpFacts{.name = "MaxUnpool", .kind = kPool, .passes_values = true},
    OpFacts{.name = "MaxRoiPool", .kind = kPool},
    OpFacts{.name = "RoiAlign", .kind = kPool},
};

}  // namespace

std::span<const OpFacts> pool_family() {
  return kPoolFacts;
}

}  // namespace espalier::ops
