#include "espalier/passes/drop_clip_bounds.h"

#include <algorithm>
#include <cmath>

#include "espalier/passes/clip_to_relu.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::int64_t kCodesOf7Bits = 128;

/// True when no code of the quantizer stands for more than `max`, give or take the half step by
/// which `max` itself is rounded.
bool bounds_itself(const ir::Node& quantizer, double max) {
  const FakeQuantizeParams params = fake_quantize_params(quantizer);
  if (params.axis || params.qmax - params.qmin + 1 > kCodesOf7Bits) return false;
  // The quotient in float32, as quantizers compute it.
  const float steps = static_cast<float>(max) / params.scale.item<float>();
  const double code = std::nearbyint(static_cast<double>(steps)) + params.zero_point.item<int>();
  return code >= static_cast<double>(params.qmax);
}

bool is_bounded_behind(const ir::Node& clip) {
  const auto max = constant_number(clip.input(2));
  if (!max || *max < 0) return false;
  const ir::Value& output = *clip.output();
  return !output.is_output() && !output.uses().empty() &&
         std::ranges::all_of(output.uses(), [&](const ir::Use& use) {
           return is_fake_quantize(*use.node) && use.index == 0 && bounds_itself(*use.node, *max);
         });
}

std::size_t drop_clip_bounds_in(ir::Graph& graph) {
  return turn_clips_into_relu(graph, is_bounded_behind);
}

}  // namespace

Pass drop_clip_bounds() {
  return {.name = "drop_clip_bounds", .apply = drop_clip_bounds_in};
}

}  // namespace espalier::passes
