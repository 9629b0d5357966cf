#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include <ATen/ops/broadcast_to.h>
#include <ATen/ops/flatten.h>
#include <ATen/ops/permute.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/size_limit.h"

namespace espalier::exec {
namespace {

std::int64_t clamp_end(std::int64_t index, std::int64_t rank) {
  if (index < 0) index += rank;
  return std::clamp<std::int64_t>(index, 0, rank);
}

}  // namespace

Kernel make_shape(const KernelRequest& request) {
  const std::int64_t first = request.node.get_int("start", 0);
  const std::int64_t last = request.node.get_int("end", std::numeric_limits<std::int64_t>::max());
  return [first, last](Call& call) {
    const at::IntArrayRef sizes = call.inputs[0].sizes();
    const auto rank = static_cast<std::int64_t>(sizes.size());
    const std::int64_t begin = clamp_end(first, rank);
    const std::int64_t end = std::max(clamp_end(last, rank), begin);
    call.outputs[0] = at::tensor(
        sizes.slice(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
        at::kLong);
  };
}

Kernel make_size(const KernelRequest&) {
  return [](Call& call) { call.outputs[0] = at::scalar_tensor(call.inputs[0].numel(), at::kLong); };
}

Kernel make_reshape(const KernelRequest& request) {
  const bool allow_zero = request.node.get_int("allowzero", 0) != 0;
  return [allow_zero, shape = IntsInput(request, 1)](Call& call) {
    const Tensor& input = call.inputs[0];
    ir::Ints sizes = shape.require(call, "shape");
    for (std::size_t axis = 0; axis < sizes.size() && !allow_zero; ++axis) {
      if (sizes[axis] != 0) continue;
      if (axis >= static_cast<std::size_t>(input.dim())) {
        throw std::invalid_argument("a size of 0 copies an axis that the input does not have");
      }
      sizes[axis] = input.size(static_cast<std::int64_t>(axis));
    }
    call.outputs[0] = input.reshape(sizes);
  };
}

Kernel make_flatten(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", 1);
  return [axis](Call& call) {
    const Tensor& input = call.inputs[0];
    const std::int64_t rank = input.dim();
    const std::int64_t cut = axis == rank ? rank : wrap_axis(axis, rank);
    const auto sizes = input.sizes();
    const auto rows =
        std::accumulate(sizes.begin(), sizes.begin() + cut, std::int64_t{1}, std::multiplies<>());
    const auto columns =
        std::accumulate(sizes.begin() + cut, sizes.end(), std::int64_t{1}, std::multiplies<>());
    call.outputs[0] = input.reshape({rows, columns});
  };
}

Kernel make_squeeze(const KernelRequest& request) {
  return [axes = IntsInput(request, 1, "axes")](Call& call) {
    const Tensor& input = call.inputs[0];
    const auto given = axes.get(call);
    if (!given) {
      call.outputs[0] = input.squeeze();
      return;
    }
    const ir::Ints dropped = wrap_axes(*given, input.dim());
    for (const std::int64_t axis : dropped) {
      if (input.size(axis) == 1) continue;
      throw std::invalid_argument(
          fmt::format("cannot drop axis {} of size {}", axis, input.size(axis)));
    }
    call.outputs[0] = input.squeeze(dropped);
  };
}

Kernel make_unsqueeze(const KernelRequest& request) {
  return [axes = IntsInput(request, 1, "axes")](Call& call) {
    Tensor result = call.inputs[0];
    ir::Ints added = axes.require(call, "axes");
    added = wrap_axes(added, result.dim() + static_cast<std::int64_t>(added.size()));
    std::sort(added.begin(), added.end());
    for (const std::int64_t axis : added) result = result.unsqueeze(axis);
    call.outputs[0] = result;
  };
}

Kernel make_transpose(const KernelRequest& request) {
  const ir::Ints order = request.node.get_ints("perm", {});
  return [order](Call& call) {
    const Tensor& input = call.inputs[0];
    ir::Ints axes = order;
    if (axes.empty()) {
      for (std::int64_t axis = input.dim(); axis-- > 0;) axes.push_back(axis);
    }
    call.outputs[0] = at::permute(input, axes);
  };
}

Kernel make_expand(const KernelRequest& request) {
  return [shape = IntsInput(request, 1)](Call& call) {
    const Tensor& input = call.inputs[0];
    const ir::Ints wanted = shape.require(call, "shape");
    const std::size_t rank = std::max(wanted.size(), static_cast<std::size_t>(input.dim()));
    ir::Ints sizes(rank, 1);
    std::copy(wanted.rbegin(), wanted.rend(), sizes.rbegin());
    for (std::int64_t axis = 1; axis <= input.dim(); ++axis) {
      std::int64_t& size = sizes[rank - static_cast<std::size_t>(axis)];
      if (size == 1) size = input.size(-axis);
    }
    check_elements(sizes);
    call.outputs[0] = at::broadcast_to(input, sizes);
  };
}

Kernel make_identity(const KernelRequest&) {
  return [](Call& call) { call.outputs[0] = call.inputs[0]; };
}

}  // namespace espalier::exec
