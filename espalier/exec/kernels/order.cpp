#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/argmin.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/flip.h>
#include <ATen/ops/sort.h>

#include "espalier/exec/kernels/extreme.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/wide.h"

namespace espalier::exec {
namespace {

/// Running sum along an axis, optionally from the end, optionally without the element itself.
Tensor running_sum(const Tensor& input, std::int64_t axis, bool exclusive, bool reverse) {
  const Tensor ordered = reverse ? at::flip(input, axis) : input;
  Tensor sum = at::cumsum(ordered, axis, ordered.scalar_type());
  if (exclusive) sum = sum - ordered;
  return reverse ? at::flip(sum, axis) : sum;
}

}  // namespace

Tensor index_of_extreme(const Tensor& input, std::int64_t axis, const ExtremeSettings& settings) {
  const Tensor ordered = settings.last ? at::flip(input, axis) : input;
  const Tensor index = settings.largest ? at::argmax(ordered, axis) : at::argmin(ordered, axis);
  return settings.last ? input.size(axis) - 1 - index : index;
}

Kernel make_arg_extreme(const KernelRequest& request) {
  const ir::Node& node = request.node;
  const std::int64_t axis = node.get_int("axis", 0);
  const bool keep = node.get_int("keepdims", 1) != 0;
  const ExtremeSettings settings{.largest = node.is("ArgMax"),
                                 .last = node.get_int("select_last_index", 0) != 0};
  return [axis, keep, settings](Call& call) {
    const std::int64_t along = wrap_axis(axis, call.inputs[0].dim());
    const Tensor index = index_of_extreme(widen(call.inputs[0]), along, settings);
    call.outputs[0] = keep ? index.unsqueeze(along) : index;
  };
}

Kernel make_top_k(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", -1);
  const bool largest = request.node.get_int("largest", 1) != 0;
  return [axis, largest, count = IntsInput(request, 1)](Call& call) {
    const Tensor& input = call.inputs[0];
    const std::int64_t along = wrap_axis(axis, input.dim());
    const ir::Ints wanted = count.require(call, "K");
    if (wanted.size() != 1 || wanted[0] < 0 || wanted[0] > input.size(along)) {
      throw std::invalid_argument("K must be one number within the axis");
    }
    // A stable sort: of equal elements the one with the lower index comes first, as ONNX says.
    const bool stable = true;
    auto [values, indices] = at::sort(widen(input), stable, along, largest);
    call.outputs[0] = values.narrow(along, 0, wanted[0]).to(input.scalar_type()).contiguous();
    call.outputs[1] = indices.narrow(along, 0, wanted[0]).contiguous();
  };
}

Kernel make_cum_sum(const KernelRequest& request) {
  const bool exclusive = request.node.get_int("exclusive", 0) != 0;
  const bool reverse = request.node.get_int("reverse", 0) != 0;
  return [exclusive, reverse, axis = IntsInput(request, 1)](Call& call) {
    const ir::Ints along = axis.require(call, "axis");
    if (along.size() != 1) throw std::invalid_argument("axis must be one number");
    const Tensor& input = call.inputs[0];
    const Tensor sum =
        running_sum(widen(input), wrap_axis(along[0], input.dim()), exclusive, reverse);
    call.outputs[0] = sum.to(input.scalar_type());
  };
}

}  // namespace espalier::exec
