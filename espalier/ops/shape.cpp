// Shapes, constants and indices.
#include <array>

#include "espalier/ops/families.h"

namespace espalier::ops {
namespace {

constexpr auto kShape = OpKind::Shape;

constexpr std::array kShapeFacts{
    OpFacts{.name = "Shape", .kind = kShape, .data = kNoPorts},
    OpFacts{.name = "Size", .kind = kShape, .data = kNoPorts},
    OpFacts{.name = "Constant", .kind = kShape, .data = kNoPorts},
    OpFacts{.name = "ConstantOfShape", .kind = kShape, .data = kNoPorts},
    OpFacts{.name = "Range", .kind = kShape, .data = kNoPorts},
    OpFacts{.name = "NonZero", .kind = kShape, .data = kNoPorts},
    OpFacts{.name = "OneHot", .kind = kShape, .data = kNoPorts},
    OpFacts{.name = "EyeLike", .kind = kShape, .data = kNoPorts},
};

}  // namespace

std::span<const OpFacts> shape_family() {
  return kShapeFacts;
}

}  // namespace espalier::ops
