#include <algorithm>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/convolution.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/convolve.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/size_limit.h"

namespace espalier::exec {
namespace {

struct TransposeSettings {
  ConvSettings conv;
  ir::Ints output_padding;
  ir::Ints output_shape;
};

struct TransposePlan {
  ir::Ints full;  ///< sizes of the output before anything is cut
  ir::Ints begin;
  ir::Ints end;  ///< what is cut after, less output_padding: may be negative
};

ir::Ints negated(ir::Ints values) {
  for (std::int64_t& value : values) value = -value;
  return values;
}

/// Begin and end of what is cut from the full output, by ONNX's rules for output_shape and
/// auto_pad.
TransposePlan plan_transpose(const TransposeSettings& settings, const Window& window,
                             at::IntArrayRef spatial) {
  const std::size_t rank = window.kernel.size();
  TransposePlan plan;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t extra = settings.output_padding.empty() ? 0 : settings.output_padding[axis];
    const std::int64_t extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
    const std::int64_t full = (spatial[axis] - 1) * window.strides[axis] + extent;
    plan.full.push_back(full);
    std::int64_t begin = window.pads[axis];
    std::int64_t end = window.pads[axis + rank];
    const bool same = window.auto_pad == Window::AutoPad::SameUpper ||
                      window.auto_pad == Window::AutoPad::SameLower;
    if (window.auto_pad == Window::AutoPad::Valid) begin = end = 0;
    if (same || !settings.output_shape.empty()) {
      const std::int64_t wanted = settings.output_shape.empty()
                                      ? spatial[axis] * window.strides[axis]
                                      : settings.output_shape[axis];
      const std::int64_t total = full + extra - wanted;
      // The larger half is cut in front, but for SAME_UPPER; what is missing is added behind.
      const std::int64_t cut = std::max<std::int64_t>(total, 0);
      begin = window.auto_pad == Window::AutoPad::SameUpper ? cut / 2 : cut - cut / 2;
      end = total - begin;
    }
    plan.begin.push_back(begin);
    plan.end.push_back(end - extra);
  }
  check_elements(plan.full);
  check_padded(plan.full, negated(plan.begin), negated(plan.end));
  return plan;
}

/// True when libtorch's padding and output_padding express the plan.
bool is_direct(const TransposePlan& plan, const Window& window) {
  for (std::size_t axis = 0; axis < plan.begin.size(); ++axis) {
    const std::int64_t extra = plan.begin[axis] - plan.end[axis];
    const std::int64_t limit = std::max(window.strides[axis], window.dilations[axis]);
    if (plan.begin[axis] < 0 || extra < 0 || extra >= limit) return false;
  }
  return true;
}

Tensor convolve_transposed(Call& call, const TransposeSettings& settings) {
  const Tensor& input = call.inputs[0];
  const Tensor& weight = call.inputs[1];
  const Tensor bias = call.has_input(2) ? call.inputs[2] : Tensor();
  const std::int64_t rank = weight.dim() - 2;
  if (rank < 1 || rank > 3 || input.dim() != weight.dim()) {
    throw std::invalid_argument(
        fmt::format("a weight of {} dimensions over {} dimensions", weight.dim(), input.dim()));
  }
  const Window window = settings.conv.window.filled(weight.sizes().slice(2));
  const TransposePlan plan = plan_transpose(settings, window, input.sizes().slice(2));
  const bool transposed = true;
  const ir::Ints zeros(window.kernel.size(), 0);
  if (is_direct(plan, window)) {
    ir::Ints extra;
    for (std::size_t axis = 0; axis < plan.begin.size(); ++axis) {
      extra.push_back(plan.begin[axis] - plan.end[axis]);
    }
    return at::convolution(input, weight, bias, window.strides, plan.begin, window.dilations,
                           transposed, extra, settings.conv.group);
  }
  const Tensor full = at::convolution(input, weight, {}, window.strides, zeros, window.dilations,
                                      transposed, zeros, settings.conv.group);
  const Tensor cut = pad_spatial(full, negated(plan.begin), negated(plan.end), 0);
  if (!bias.defined()) return cut;
  ir::Ints sizes(static_cast<std::size_t>(rank) + 1, 1);
  sizes[0] = bias.numel();
  return cut + bias.view(sizes);
}

}  // namespace

Kernel make_conv_transpose(const KernelRequest& request) {
  TransposeSettings settings{.conv = parse_conv(request.node),
                             .output_padding = request.node.get_ints("output_padding", {}),
                             .output_shape = request.node.get_ints("output_shape", {})};
  const std::size_t extra = settings.output_padding.size();
  const std::size_t shape = settings.output_shape.size();
  if (extra != 0 && shape != 0 && extra != shape) {
    throw std::invalid_argument("output_padding and output_shape have different lengths");
  }
  return [settings](Call& call) {
    const auto rank = static_cast<std::size_t>(std::max<std::int64_t>(call.inputs[0].dim() - 2, 0));
    for (const ir::Ints* list : {&settings.output_padding, &settings.output_shape}) {
      if (!list->empty() && list->size() != rank) {
        throw std::invalid_argument("output_padding or output_shape has a wrong length");
      }
    }
    call.outputs[0] = convolve_transposed(call, settings);
  };
}

}  // namespace espalier::exec
