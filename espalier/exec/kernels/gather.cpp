#include <numeric>
#include <optional>
#include <stdexcept>

#include <ATen/TensorOperators.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/scatter.h>
#include <ATen/ops/scatter_add.h>
#include <ATen/ops/scatter_reduce.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"

namespace espalier::exec {
namespace {

/// Indices as int64 on the device of the data, negative ones counted from the end.
Tensor wrap_indices(const Tensor& indices, std::int64_t size, const Tensor& data) {
  const Tensor wide = indices.to(data.device(), at::kLong);
  return at::where(wide < 0, wide + size, wide);
}

enum class Combine { Replace, Add, Multiply, Maximum, Minimum };

Combine parse_combine(const ir::Node& node) {
  const std::string name = node.get_string("reduction", "none");
  if (name == "none") return Combine::Replace;
  if (name == "add") return Combine::Add;
  if (name == "mul") return Combine::Multiply;
  if (name == "max") return Combine::Maximum;
  if (name == "min") return Combine::Minimum;
  throw std::invalid_argument(
      fmt::format("reduction is '{}', expected none, add, mul, max or min", name));
}

Tensor scatter(const Tensor& data, std::int64_t axis, const Tensor& indices, const Tensor& updates,
               Combine combine) {
  switch (combine) {
    case Combine::Replace:
      return at::scatter(data, axis, indices, updates);
    case Combine::Add:
      return at::scatter_add(data, axis, indices, updates);
    case Combine::Multiply:
      return at::scatter_reduce(data, axis, indices, updates, "prod");
    case Combine::Maximum:
      return at::scatter_reduce(data, axis, indices, updates, "amax");
    case Combine::Minimum:
      return at::scatter_reduce(data, axis, indices, updates, "amin");
  }
  throw std::invalid_argument("unknown reduction");
}

std::int64_t product(at::IntArrayRef sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
}

/// Row number, in the data seen as [rows, rest], of each index tuple along the last axis.
Tensor flat_rows(const Tensor& indices, at::IntArrayRef leading, const Tensor& data) {
  Tensor rows = at::zeros({}, data.options().dtype(at::kLong));
  for (std::size_t axis = 0; axis < leading.size(); ++axis) {
    const Tensor part = indices.select(-1, static_cast<std::int64_t>(axis));
    const Tensor wrapped = wrap_indices(part, leading[axis], data);
    // Each index is checked for itself: the sum of wrong ones may point at a valid row.
    if ((wrapped < 0).any().item<bool>() || (wrapped >= leading[axis]).any().item<bool>()) {
      throw std::invalid_argument(
          fmt::format("an index lies outside of an axis of {}", leading[axis]));
    }
    rows = rows * leading[axis] + wrapped;
  }
  return rows;
}

Tensor gather_nd(const Tensor& data, const Tensor& indices, std::int64_t batch_dims) {
  const std::int64_t depth = indices.size(-1);
  if (batch_dims < 0 || batch_dims + depth > data.dim() || indices.dim() <= batch_dims) {
    throw std::invalid_argument("indices reach beyond the dimensions of the data");
  }
  const auto batch = static_cast<std::size_t>(batch_dims);
  const at::IntArrayRef leading = data.sizes().slice(batch, static_cast<std::size_t>(depth));
  const at::IntArrayRef rest = data.sizes().slice(batch + static_cast<std::size_t>(depth));
  const std::int64_t batches = product(data.sizes().slice(0, batch));
  const Tensor table = data.reshape({batches, product(leading), product(rest)});
  const Tensor rows =
      flat_rows(indices, leading, data)
          .expand(indices.sizes().slice(0, static_cast<std::size_t>(indices.dim() - 1)))
          .reshape({batches, -1});
  const Tensor picked =
      at::gather(table, 1, rows.unsqueeze(2).expand({batches, rows.size(1), table.size(2)}));
  ir::Ints sizes = indices.sizes().vec();
  sizes.pop_back();
  sizes.insert(sizes.end(), rest.begin(), rest.end());
  return picked.reshape(sizes);
}

Tensor scatter_nd(const Tensor& data, const Tensor& indices, const Tensor& updates,
                  Combine combine) {
  const std::int64_t depth = indices.size(-1);
  if (depth > data.dim())
    throw std::invalid_argument("indices reach beyond the dimensions of the data");
  const at::IntArrayRef leading = data.sizes().slice(0, static_cast<std::size_t>(depth));
  const std::int64_t rest = product(data.sizes().slice(static_cast<std::size_t>(depth)));
  const Tensor table = data.reshape({product(leading), rest});
  const Tensor rows = flat_rows(indices, leading, data).reshape({-1, 1});
  const Tensor values = updates.reshape({rows.size(0), rest});
  return scatter(table, 0, rows.expand({rows.size(0), rest}), values, combine)
      .reshape(data.sizes());
}

}  // namespace

Kernel make_gather(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", 0);
  return [axis](Call& call) {
    const Tensor& data = call.inputs[0];
    const std::int64_t along = wrap_axis(axis, data.dim());
    const Tensor indices = wrap_indices(call.inputs[1], data.size(along), data);
    ir::Ints sizes = data.sizes().vec();
    sizes.erase(sizes.begin() + along);
    sizes.insert(sizes.begin() + along, indices.sizes().begin(), indices.sizes().end());
    call.outputs[0] = at::index_select(data, along, indices.reshape({-1})).reshape(sizes);
  };
}

Kernel make_gather_elements(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", 0);
  return [axis](Call& call) {
    const Tensor& data = call.inputs[0];
    const std::int64_t along = wrap_axis(axis, data.dim());
    call.outputs[0] = at::gather(data, along, wrap_indices(call.inputs[1], data.size(along), data));
  };
}

Kernel make_gather_nd(const KernelRequest& request) {
  const std::int64_t batch_dims = request.node.get_int("batch_dims", 0);
  return [batch_dims](Call& call) {
    call.outputs[0] = gather_nd(call.inputs[0], call.inputs[1], batch_dims);
  };
}

Kernel make_scatter_elements(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", 0);
  return [axis, combine = parse_combine(request.node)](Call& call) {
    const Tensor& data = call.inputs[0];
    const std::int64_t along = wrap_axis(axis, data.dim());
    const Tensor indices = wrap_indices(call.inputs[1], data.size(along), data);
    call.outputs[0] = scatter(data, along, indices, call.inputs[2], combine);
  };
}

Kernel make_scatter_nd(const KernelRequest& request) {
  return [combine = parse_combine(request.node)](Call& call) {
    call.outputs[0] = scatter_nd(call.inputs[0], call.inputs[1], call.inputs[2], combine);
  };
}

Kernel make_compress(const KernelRequest& request) {
  std::optional<std::int64_t> axis;
  if (request.node.has("axis")) axis = request.node.get_int("axis");
  return [axis](Call& call) {
    const Tensor data = axis ? call.inputs[0] : call.inputs[0].reshape({-1});
    const std::int64_t along = wrap_axis(axis.value_or(0), data.dim());
    const Tensor picked = at::nonzero(call.inputs[1]).reshape({-1});
    call.outputs[0] = at::index_select(data, along, picked);
  };
}

}  // namespace espalier::exec
