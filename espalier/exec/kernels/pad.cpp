#include <algorithm>
#include <stdexcept>

#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/size_limit.h"
#include "espalier/exec/kernels/wide.h"

namespace espalier::exec {
namespace {

enum class PadMode { Constant, Reflect, Edge, Wrap };

PadMode parse_mode(const ir::Node& node) {
  const std::string mode = node.get_string("mode", "constant");
  if (mode == "constant") return PadMode::Constant;
  if (mode == "reflect") return PadMode::Reflect;
  if (mode == "edge") return PadMode::Edge;
  if (mode == "wrap") return PadMode::Wrap;
  throw std::invalid_argument(
      fmt::format("mode is '{}', expected constant, reflect, edge or wrap", mode));
}

/// Where position `index` of the padded axis reads in an axis of `size` elements.
std::int64_t source_index(std::int64_t index, std::int64_t size, PadMode mode) {
  if (mode == PadMode::Edge || size == 1) return std::clamp<std::int64_t>(index, 0, size - 1);
  if (mode == PadMode::Wrap) return (index % size + size) % size;
  const std::int64_t period = 2 * (size - 1);
  const std::int64_t place = (index % period + period) % period;
  return place < size ? place : period - place;
}

Tensor pad_axis(const Tensor& input, std::int64_t axis, std::int64_t begin, std::int64_t end,
                PadMode mode) {
  const std::int64_t size = input.size(axis);
  if (size == 0) throw std::invalid_argument("cannot repeat elements of an empty axis");
  std::vector<std::int64_t> indices;
  for (std::int64_t index = -begin; index < size + end; ++index) {
    indices.push_back(source_index(index, size, mode));
  }
  return at::index_select(input, axis, at::tensor(indices, at::kLong).to(input.device()));
}

/// Begin and end by axis of the input, from a list for some axes.
std::pair<ir::Ints, ir::Ints> spread(const ir::Ints& pads, const ir::Ints& axes,
                                     std::int64_t rank) {
  if (pads.size() != 2 * axes.size()) {
    throw std::invalid_argument(
        fmt::format("pads has {} values for {} axes", pads.size(), axes.size()));
  }
  std::pair<ir::Ints, ir::Ints> by_axis{ir::Ints(static_cast<std::size_t>(rank), 0),
                                        ir::Ints(static_cast<std::size_t>(rank), 0)};
  for (std::size_t index = 0; index < axes.size(); ++index) {
    const auto axis = static_cast<std::size_t>(wrap_axis(axes[index], rank));
    by_axis.first[axis] = pads[index];
    by_axis.second[axis] = pads[index + axes.size()];
  }
  return by_axis;
}

Tensor pad_constant(const Tensor& input, const ir::Ints& begin, const ir::Ints& end,
                    const at::Scalar& value) {
  ir::Ints flat;
  for (std::size_t axis = begin.size(); axis-- > 0;) {
    flat.push_back(begin[axis]);
    flat.push_back(end[axis]);
  }
  return at::constant_pad_nd(widen(input), flat, value).to(input.scalar_type());
}

}  // namespace

Kernel make_pad(const KernelRequest& request) {
  return [mode = parse_mode(request.node), pads_input = IntsInput(request, 1, "pads"),
          axes_input = IntsInput(request, 3)](Call& call) {
    const Tensor& input = call.inputs[0];
    ir::Ints axes;
    for (std::int64_t axis = 0; axis < input.dim(); ++axis) axes.push_back(axis);
    axes = axes_input.get(call).value_or(axes);
    const auto [begin, end] = spread(pads_input.require(call, "pads"), axes, input.dim());
    check_padded(input.sizes(), begin, end);
    if (mode == PadMode::Constant) {
      const at::Scalar value = call.has_input(2) ? widen(call.inputs[2]).item() : at::Scalar(0);
      call.outputs[0] = pad_constant(input, begin, end, value);
      return;
    }
    Tensor result = input;
    for (std::size_t axis = 0; axis < begin.size(); ++axis) {
      if (begin[axis] == 0 && end[axis] == 0) continue;
      result = pad_axis(result, static_cast<std::int64_t>(axis), begin[axis], end[axis], mode);
    }
    call.outputs[0] = result;
  };
}

}  // namespace espalier::exec
