#include "espalier/exec/kernels/window.h"

#include <algorithm>
#include <stdexcept>

#include <ATen/ops/constant_pad_nd.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/exec/kernels/size_limit.h"

namespace espalier::exec {
namespace {

/// Far beyond any real network, and small enough that products of two fit into 63 bits.
constexpr std::int64_t kLargest = std::int64_t{1} << 31;

ir::Ints read_list(const ir::Node& node, std::string_view name, std::int64_t least) {
  ir::Ints list = node.get_ints(name, {});
  for (const std::int64_t value : list) {
    if (value >= least && value < kLargest) continue;
    throw base::UserError({.what = fmt::format("bad attribute '{}'", name),
                           .where = node.label(),
                           .got = fmt::format("{}", value),
                           .expected = fmt::format("{} to {}", least, kLargest - 1)});
  }
  return list;
}

Window::AutoPad parse_auto_pad(const ir::Node& node) {
  const std::string text = node.get_string("auto_pad", "NOTSET");
  if (text == "NOTSET" || text.empty()) return Window::AutoPad::NotSet;
  if (text == "SAME_UPPER") return Window::AutoPad::SameUpper;
  if (text == "SAME_LOWER") return Window::AutoPad::SameLower;
  if (text == "VALID") return Window::AutoPad::Valid;
  throw base::UserError({.what = "bad attribute 'auto_pad'",
                         .where = node.label(),
                         .got = "'" + text + "'",
                         .expected = "NOTSET, SAME_UPPER, SAME_LOWER or VALID"});
}

ir::Ints fill_list(const ir::Ints& list, std::size_t length, std::int64_t value,
                   std::string_view name) {
  if (list.empty()) return ir::Ints(length, value);
  if (list.size() != length) {
    throw std::invalid_argument(
        fmt::format("'{}' has {} values, expected {}", name, list.size(), length));
  }
  return list;
}

/// Output size of one axis; ceil mode drops windows that start in the padding after the input.
std::int64_t output_size(std::int64_t padded, std::int64_t extent, std::int64_t stride, bool ceil,
                         std::int64_t last_start) {
  const std::int64_t room = padded - extent;
  if (room < 0) {
    throw std::invalid_argument(
        fmt::format("a window of {} does not fit into {} padded elements", extent, padded));
  }
  if (!ceil) return room / stride + 1;
  std::int64_t size = (room + stride - 1) / stride + 1;
  if ((size - 1) * stride > last_start) --size;
  return size;
}

}  // namespace

Window Window::filled(at::IntArrayRef sizes) const {
  const std::size_t rank = sizes.size();
  Window full = *this;
  full.kernel = kernel.empty() ? sizes.vec() : fill_list(kernel, rank, 1, "kernel_shape");
  full.strides = fill_list(strides, rank, 1, "strides");
  full.dilations = fill_list(dilations, rank, 1, "dilations");
  full.pads = fill_list(pads, 2 * rank, 0, "pads");
  return full;
}

Window parse_window(const ir::Node& node) {
  Window window;
  window.kernel = read_list(node, "kernel_shape", 1);
  window.strides = read_list(node, "strides", 1);
  window.dilations = read_list(node, "dilations", 1);
  window.pads = read_list(node, "pads", 0);
  window.auto_pad = parse_auto_pad(node);
  window.ceil_mode = node.get_int("ceil_mode", 0) != 0;
  return window;
}

WindowPlan plan_window(const Window& window, at::IntArrayRef spatial) {
  const std::size_t rank = window.kernel.size();
  if (spatial.size() != rank) {
    throw std::invalid_argument(
        fmt::format("the input has {} spatial dimensions, expected {}", spatial.size(), rank));
  }
  WindowPlan plan;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    const std::int64_t size = spatial[axis];
    const std::int64_t stride = window.strides[axis];
    const std::int64_t extent = (window.kernel[axis] - 1) * window.dilations[axis] + 1;
    std::int64_t begin = 0;
    std::int64_t end = 0;
    if (window.auto_pad == Window::AutoPad::NotSet) {
      begin = window.pads[axis];
      end = window.pads[axis + rank];
    } else if (window.auto_pad != Window::AutoPad::Valid) {
      const std::int64_t output = (size + stride - 1) / stride;
      const std::int64_t total = std::max<std::int64_t>((output - 1) * stride + extent - size, 0);
      const bool upper = window.auto_pad == Window::AutoPad::SameUpper;
      begin = upper ? total / 2 : total - total / 2;
      end = total - begin;
    }
    const std::int64_t output =
        output_size(size + begin + end, extent, stride, window.ceil_mode, size + begin - 1);
    plan.begin.push_back(begin);
    plan.end.push_back(end);
    plan.output.push_back(output);
    plan.reach.push_back((output - 1) * stride + extent - size - begin);
  }
  check_elements(plan.output);
  return plan;
}

at::Tensor pad_spatial(const at::Tensor& input, const ir::Ints& begin, const ir::Ints& end,
                       const at::Scalar& value) {
  check_padded(input.sizes(), begin, end);
  ir::Ints flat;
  for (std::size_t axis = begin.size(); axis-- > 0;) {
    flat.push_back(begin[axis]);
    flat.push_back(end[axis]);
  }
  return at::constant_pad_nd(input, flat, value);
}

}  // namespace espalier::exec
