// Operators that move values without changing them, and resampling.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kMovement = OpKind::DataMovement;
constexpr auto kResize = OpKind::Resize;
constexpr AttributeCondition kNearest{.name = "mode", .value = "nearest", .fallback = "nearest"};
constexpr AttributeCondition kPlainScatter{
    .name = "reduction", .value = "none", .fallback = "none"};

constexpr std::array kMovementFacts{
    OpFacts{.name = "Reshape", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Transpose", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Flatten", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Squeeze", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Unsqueeze", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Slice", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Split", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Concat", .kind = kMovement, .data = kAllPorts, .passes_values = true},
    OpFacts{.name = "Pad", .kind = kMovement, .passes_values = true, .fill = 2},
    OpFacts{.name = "CenterCropPad", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Gather", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "GatherElements", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "GatherND", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Expand", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Tile", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "DepthToSpace", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "SpaceToDepth", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Compress", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "ReverseSequence", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "Trilu", .kind = kMovement, .passes_values = true},
    OpFacts{.name = "ScatterElements",
            .kind = kMovement,
            .data = port(0) | port(2),
            .passes_values = true,
            .passes_when = kPlainScatter},
    OpFacts{.name = "ScatterND",
            .kind = kMovement,
            .data = port(0) | port(2),
            .passes_values = true,
            .passes_when = kPlainScatter},
    OpFacts{.name = "Col2Im", .kind = kMovement},
    OpFacts{.name = "Resize", .kind = kResize, .passes_values = true, .passes_when = kNearest},
    OpFacts{.name = "GridSample", .kind = kResize, .data = port(0) | port(1)},
    OpFacts{.name = "AffineGrid", .kind = kResize},
};

}  // namespace

std::span<const OpFacts> movement_family() {
  return kMovementFacts;
}

}  // namespace espalier::ops
