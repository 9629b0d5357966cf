// Reductions along axes, and their relatives.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kReduction = OpKind::Reduction;

constexpr std::array kReductionFacts{
    OpFacts{.name = "ReduceMean", .kind = kReduction},
    OpFacts{.name = "ReduceSum", .kind = kReduction},
    OpFacts{.name = "ReduceMax", .kind = kReduction, .passes_values = true},
    OpFacts{.name = "ReduceMin", .kind = kReduction, .passes_values = true},
    OpFacts{.name = "ReduceProd", .kind = kReduction},
    OpFacts{.name = "ReduceL1", .kind = kReduction, .low = 0},
    OpFacts{.name = "ReduceL2", .kind = kReduction, .low = 0},
    OpFacts{.name = "ReduceSumSquare", .kind = kReduction, .low = 0},
    OpFacts{.name = "ReduceLogSum", .kind = kReduction},
    OpFacts{.name = "ReduceLogSumExp", .kind = kReduction},
    OpFacts{.name = "ArgMax", .kind = kReduction, .low = 0},
    OpFacts{.name = "ArgMin", .kind = kReduction, .low = 0},
    OpFacts{.name = "TopK", .kind = kReduction},
    OpFacts{.name = "CumSum", .kind = kReduction},
};

}  // namespace

std::span<const OpFacts> reduction_family() {
  return kReductionFacts;
}

}  // namespace espalier::ops
