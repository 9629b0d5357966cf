#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/avg_pool1d.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/avg_pool3d.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/max_pool1d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool3d.h>
#include <ATen/ops/max_pool3d_with_indices.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/root.h"
#include "espalier/exec/kernels/size_limit.h"
#include "espalier/exec/kernels/window.h"

namespace espalier::exec {
namespace {

Window parse_pool(const ir::Node& node) {
  Window window = parse_window(node);
  if (window.kernel.empty() || window.kernel.size() > 3) {
    throw base::UnsupportedError({.what = "pooling over this many dimensions",
                                  .where = node.label(),
                                  .got = fmt::format("{}", window.kernel.size()),
                                  .expected = "kernel_shape of 1 to 3 sizes"});
  }
  return window.filled(window.kernel);
}

/// True when libtorch's pools do the padding themselves: symmetric and at most half a window.
bool is_direct(const Window& window, const WindowPlan& plan) {
  for (std::size_t axis = 0; axis < window.kernel.size(); ++axis) {
    if (plan.begin[axis] != plan.end[axis] || plan.begin[axis] > window.kernel[axis] / 2) {
      return false;
    }
  }
  return true;
}

/// The lowest number of the tensor's type: the padding of a maximum.
at::Scalar lowest(const Tensor& tensor) {
  if (tensor.is_floating_point()) return -std::numeric_limits<double>::infinity();
  return tensor.scalar_type() == at::kByte ? at::Scalar(0) : at::Scalar(-128);
}

/// Values and per-plane indices of max pooling over 2 or 3 dimensions.
std::tuple<Tensor, Tensor> max_pool_indexed(const Tensor& input, const Window& window,
                                            const ir::Ints& padding, bool ceil) {
  if (window.kernel.size() == 3) {
    return at::max_pool3d_with_indices(input, window.kernel, window.strides, padding,
                                       window.dilations, ceil);
  }
  return at::max_pool2d_with_indices(input, window.kernel, window.strides, padding,
                                     window.dilations, ceil);
}

/// A one-dimensional problem as a two-dimensional one of height 1.
Window lift(const Window& window) {
  Window lifted = window;
  for (ir::Ints* list : {&lifted.kernel, &lifted.strides, &lifted.dilations}) {
    list->insert(list->begin(), 1);
  }
  lifted.pads = {0, window.pads[0], 0, window.pads[1]};
  return lifted;
}

/// Turns indices within a padded plane into ONNX's indices into the whole tensor.
Tensor global_indices(const Tensor& local, at::IntArrayRef padded, const Tensor& input,
                      const ir::Ints& begin, bool column_major) {
  const std::size_t rank = padded.size();
  const at::IntArrayRef spatial = input.sizes().slice(2);
  Tensor rest = local;
  Tensor index = at::zeros({1}, local.options());
  std::vector<Tensor> coordinates(rank);
  for (std::size_t axis = rank; axis-- > 0;) {
    coordinates[axis] = rest.remainder(padded[axis]) - begin[axis];
    rest = rest.floor_divide(padded[axis]);
  }
  if (column_major) {
    for (std::size_t axis = rank; axis-- > 0;) index = index * spatial[axis] + coordinates[axis];
  } else {
    for (std::size_t axis = 0; axis < rank; ++axis) {
      index = index * spatial[axis] + coordinates[axis];
    }
  }
  const std::int64_t planes = input.size(0) * input.size(1);
  const std::int64_t plane =
      std::accumulate(spatial.begin(), spatial.end(), std::int64_t{1}, std::multiplies<>());
  ir::Ints sizes(rank + 2, 1);
  sizes[0] = input.size(0);
  sizes[1] = input.size(1);
  return index + (at::arange(planes, local.options()) * plane).view(sizes);
}

void run_max_pool(Call& call, const Window& declared, bool column_major) {
  const bool line = declared.kernel.size() == 1;
  const Window window = line ? lift(declared) : declared;
  const Tensor input = line ? call.inputs[0].unsqueeze(2) : call.inputs[0];
  const WindowPlan plan = plan_window(window, input.sizes().slice(2));
  const bool direct = is_direct(window, plan);
  const bool narrow = !input.is_floating_point();
  Tensor source = direct ? input : pad_spatial(input, plan.begin, plan.reach, lowest(input));
  if (narrow) source = source.to(at::kFloat);
  const ir::Ints padding = direct ? plan.begin : ir::Ints(plan.begin.size(), 0);
  auto [values, local] = max_pool_indexed(source, window, padding, direct && window.ceil_mode);
  if (narrow) values = values.to(input.scalar_type());
  call.outputs[0] = line ? values.squeeze(2) : values;
  if (call.outputs.size() < 2) return;
  const ir::Ints begin = direct ? ir::Ints(plan.begin.size(), 0) : plan.begin;
  const Tensor indices = global_indices(local, source.sizes().slice(2), input, begin, column_major);
  call.outputs[1] = line ? indices.squeeze(2) : indices;
}

/// Sum over each window of an input that is padded already: one strided view a window element.
Tensor sum_windows(const Tensor& padded, const Window& window, const ir::Ints& output) {
  const std::int64_t elements = std::accumulate(window.kernel.begin(), window.kernel.end(),
                                                std::int64_t{1}, std::multiplies<>());
  Tensor sum;
  for (std::int64_t element = 0; element < elements; ++element) {
    Tensor view = padded;
    std::int64_t rest = element;
    for (std::size_t axis = window.kernel.size(); axis-- > 0;) {
      const std::int64_t offset = (rest % window.kernel[axis]) * window.dilations[axis];
      rest /= window.kernel[axis];
      const auto dim = static_cast<std::int64_t>(axis) + 2;
      const std::int64_t stride = window.strides[axis];
      view = view.slice(dim, offset, offset + (output[axis] - 1) * stride + 1, stride);
    }
    sum = sum.defined() ? sum + view : view;
  }
  return sum;
}

/// How many elements each window covers: real ones, and declared padding when it counts.
Tensor count_windows(const Tensor& input, const Window& window, const WindowPlan& plan,
                     bool count_padding) {
  ir::Ints sizes = input.sizes().vec();
  sizes[0] = sizes[1] = 1;
  Tensor ones = at::ones(sizes, input.options());
  ir::Ints reach = plan.reach;
  ir::Ints begin = plan.begin;
  if (count_padding) {
    ones = pad_spatial(ones, plan.begin, plan.end, 1);
    for (std::size_t axis = 0; axis < reach.size(); ++axis) {
      reach[axis] -= plan.end[axis];
      begin[axis] = 0;
    }
  }
  return sum_windows(pad_spatial(ones, begin, reach, 0), window, plan.output);
}

Tensor average_direct(const Tensor& input, const Window& window, const WindowPlan& plan,
                      bool count_padding) {
  switch (window.kernel.size()) {
    case 1:
      return at::avg_pool1d(input, window.kernel, window.strides, plan.begin, window.ceil_mode,
                            count_padding);
    case 2:
      return at::avg_pool2d(input, window.kernel, window.strides, plan.begin, window.ceil_mode,
                            count_padding);
    default:
      return at::avg_pool3d(input, window.kernel, window.strides, plan.begin, window.ceil_mode,
                            count_padding);
  }
}

ir::Ints spatial_axes(const Tensor& input) {
  if (input.dim() < 3) throw std::invalid_argument("the input has no spatial dimensions");
  ir::Ints axes(static_cast<std::size_t>(input.dim() - 2));
  std::iota(axes.begin(), axes.end(), 2);
  return axes;
}

}  // namespace

Kernel make_max_pool(const KernelRequest& request) {
  const Window window = parse_pool(request.node);
  const bool column_major = request.node.get_int("storage_order", 0) != 0;
  return [window, column_major](Call& call) { run_max_pool(call, window, column_major); };
}

Kernel make_average_pool(const KernelRequest& request) {
  const Window window = parse_pool(request.node);
  const bool count_padding = request.node.get_int("count_include_pad", 0) != 0;
  const bool dilated = std::any_of(window.dilations.begin(), window.dilations.end(),
                                   [](std::int64_t dilation) { return dilation != 1; });
  return [window, count_padding, dilated](Call& call) {
    const Tensor& input = call.inputs[0];
    const WindowPlan plan = plan_window(window, input.sizes().slice(2));
    if (!dilated && is_direct(window, plan)) {
      call.outputs[0] = average_direct(input, window, plan, count_padding);
      return;
    }
    const Tensor padded = pad_spatial(input, plan.begin, plan.reach, 0);
    call.outputs[0] = sum_windows(padded, window, plan.output) /
                      count_windows(input, window, plan, count_padding);
  };
}

Kernel make_lp_pool(const KernelRequest& request) {
  const Window window = parse_pool(request.node);
  const auto order = static_cast<double>(request.node.get_int("p", 2));
  return [window, order](Call& call) {
    const Tensor& input = call.inputs[0];
    const WindowPlan plan = plan_window(window, input.sizes().slice(2));
    const Tensor powers = at::pow(at::abs(input), order);
    const Tensor padded = pad_spatial(powers, plan.begin, plan.reach, 0);
    call.outputs[0] = root_of(sum_windows(padded, window, plan.output), order);
  };
}

Kernel make_global_average_pool(const KernelRequest&) {
  return [](Call& call) {
    const bool keep = true;
    call.outputs[0] = at::mean(call.inputs[0], spatial_axes(call.inputs[0]), keep);
  };
}

Kernel make_global_max_pool(const KernelRequest&) {
  return [](Call& call) {
    const bool keep = true;
    call.outputs[0] = at::amax(call.inputs[0], spatial_axes(call.inputs[0]), keep);
  };
}

Kernel make_global_lp_pool(const KernelRequest& request) {
  const auto order = static_cast<double>(request.node.get_int("p", 2));
  return [order](Call& call) {
    const bool keep = true;
    const Tensor& input = call.inputs[0];
    call.outputs[0] = at::linalg_vector_norm(input, order, spatial_axes(input), keep);
  };
}

Kernel make_max_unpool(const KernelRequest& request) {
  const Window window = parse_pool(request.node);
  return [window, shape = IntsInput(request, 2)](Call& call) {
    const Tensor& input = call.inputs[0];
    const at::IntArrayRef spatial = input.sizes().slice(2);
    const std::size_t rank = window.kernel.size();
    if (spatial.size() != rank) throw std::invalid_argument("kernel_shape has a wrong length");
    ir::Ints inferred{input.size(0), input.size(1)};
    for (std::size_t axis = 0; axis < rank; ++axis) {
      inferred.push_back((spatial[axis] - 1) * window.strides[axis] + window.kernel[axis] -
                         window.pads[axis] - window.pads[axis + rank]);
    }
    check_elements(inferred);
    // Indices refer to the inferred shape; a larger output_shape surrounds it with zeros.
    const std::int64_t elements =
        std::accumulate(inferred.begin(), inferred.end(), std::int64_t{1}, std::multiplies<>());
    const Tensor flat = at::zeros({elements}, input.options())
                            .scatter_(0, call.inputs[1].reshape({-1}), input.reshape({-1}));
    Tensor output = flat.view(inferred);
    if (const auto wanted = shape.get(call)) {
      if (wanted->size() != inferred.size())
        throw std::invalid_argument("output_shape has a wrong length");
      ir::Ints end;
      for (std::size_t axis = 2; axis < wanted->size(); ++axis) {
        end.push_back((*wanted)[axis] - inferred[axis]);
      }
      output = pad_spatial(output, ir::Ints(end.size(), 0), end, 0);
    }
    call.outputs[0] = output;
  };
}

}  // namespace espalier::exec
