#include <algorithm>
#include <array>
#include <limits>
#include <numeric>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/full.h>
#include <ATen/ops/log.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/prod.h>
#include <ATen/ops/sum.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/root.h"
#include "espalier/exec/kernels/wide.h"

namespace espalier::exec {
namespace {

Tensor sum(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return at::sum(x, axes, keep, x.scalar_type());
}

Tensor mean(const Tensor& x, at::IntArrayRef axes, bool keep) {
  if (x.is_floating_point()) return at::mean(x, axes, keep);
  return at::mean(x.to(at::kDouble), axes, keep).to(x.scalar_type());
}

Tensor product(const Tensor& x, at::IntArrayRef axes, bool keep) {
  ir::Ints order = axes.vec();
  std::sort(order.rbegin(), order.rend());
  Tensor result = x;
  for (const std::int64_t axis : order) result = at::prod(result, axis, keep, x.scalar_type());
  return result;
}

/// A maximum of nothing is the lowest value of the type.
Tensor empty_extreme(const Tensor& x, at::IntArrayRef axes, bool keep, bool lowest) {
  const Tensor shape = sum(x, axes, keep);
  if (x.scalar_type() == at::kBool) return at::full(shape.sizes(), !lowest, x.options());
  if (x.is_floating_point()) {
    const double infinity = std::numeric_limits<double>::infinity();
    return at::full(shape.sizes(), lowest ? -infinity : infinity, x.options());
  }
  const int bits = static_cast<int>(8 * x.element_size()) - 1;
  const std::int64_t high = x.scalar_type() == at::kByte
                                ? 255
                                : static_cast<std::int64_t>((std::uint64_t{1} << bits) - 1);
  const std::int64_t low = x.scalar_type() == at::kByte ? 0 : -high - 1;
  return at::full(shape.sizes(), lowest ? low : high, x.options());
}

Tensor maximum(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.numel() == 0 ? empty_extreme(x, axes, keep, true) : at::amax(x, axes, keep);
}

Tensor minimum(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return x.numel() == 0 ? empty_extreme(x, axes, keep, false) : at::amin(x, axes, keep);
}

Tensor sum_absolute(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return sum(at::abs(x), axes, keep);
}

Tensor sum_square(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return sum(x * x, axes, keep);
}

Tensor norm(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return root_of(sum_square(x, axes, keep)).to(x.scalar_type());
}

Tensor log_sum(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return at::log(sum(x, axes, keep)).to(x.scalar_type());
}

Tensor log_sum_exp(const Tensor& x, at::IntArrayRef axes, bool keep) {
  return at::logsumexp(x, axes, keep).to(x.scalar_type());
}

struct Row {
  std::string_view op;
  Tensor (*reduce)(const Tensor&, at::IntArrayRef, bool);
};

constexpr std::array kReductions{
    Row{"ReduceL1", sum_absolute},       Row{"ReduceL2", norm},      Row{"ReduceLogSum", log_sum},
    Row{"ReduceLogSumExp", log_sum_exp}, Row{"ReduceMax", maximum},  Row{"ReduceMean", mean},
    Row{"ReduceMin", minimum},           Row{"ReduceProd", product}, Row{"ReduceSum", sum},
    Row{"ReduceSumSquare", sum_square},
};

}  // namespace

Kernel make_reduction(const KernelRequest& request) {
  const auto row = std::find_if(kReductions.begin(), kReductions.end(), [&](const Row& candidate) {
    return candidate.op == request.node.op();
  });
  const bool keep = request.node.get_int("keepdims", 1) != 0;
  const bool no_axes_is_identity = request.node.get_int("noop_with_empty_axes", 0) != 0;
  return [reduce = row->reduce, keep, no_axes_is_identity,
          input_axes = IntsInput(request, 1, "axes")](Call& call) {
    const Tensor& input = call.inputs[0];
    ir::Ints axes = wrap_axes(input_axes.get(call).value_or(ir::Ints{}), input.dim());
    if (axes.empty() && no_axes_is_identity) {
      call.outputs[0] = input;
      return;
    }
    if (axes.empty()) {
      axes.resize(static_cast<std::size_t>(input.dim()));
      std::iota(axes.begin(), axes.end(), 0);
    }
    call.outputs[0] = reduce(widen(input), axes, keep).to(input.scalar_type());
  };
}

}  // namespace espalier::exec
