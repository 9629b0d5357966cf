// Known by name, not understood: control flow, recurrence, detection output.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kOpaque = OpKind::Opaque;

constexpr std::array kControlFacts{
    OpFacts{.name = "If", .kind = kOpaque, .data = kAllPorts},
    OpFacts{.name = "Loop", .kind = kOpaque, .data = kAllPorts},
    OpFacts{.name = "Scan", .kind = kOpaque, .data = kAllPorts},
    OpFacts{.name = "LSTM", .kind = kOpaque, .data = kAllPorts},
    OpFacts{.name = "GRU", .kind = kOpaque, .data = kAllPorts},
    OpFacts{.name = "RNN", .kind = kOpaque, .data = kAllPorts},
    OpFacts{.name = "NonMaxSuppression", .kind = kOpaque, .data = kAllPorts},
};

}  // namespace

std::span<const OpFacts> control_family() {
  return kControlFacts;
}

}  // namespace espalier::ops
