#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

#include <ATen/ops/concat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/triu.h>
#include <ATen/ops/where.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/host_input.h"
#include "espalier/exec/kernels/size_limit.h"
#include "espalier/exec/kernels/wide.h"

namespace espalier::exec {
namespace {

/// Sizes of the parts of an axis: given, or as equal as possible with a smaller last one.
ir::Ints split_sizes(const std::optional<ir::Ints>& given, std::int64_t size, std::size_t parts) {
  if (!given) {
    const auto count = static_cast<std::int64_t>(parts);
    const std::int64_t step = (size + count - 1) / count;
    ir::Ints sizes(parts, step);
    sizes.back() = size - step * (count - 1);
    return sizes;
  }
  const bool negative =
      std::any_of(given->begin(), given->end(), [](std::int64_t part) { return part < 0; });
  if (given->size() != parts || negative ||
      std::accumulate(given->begin(), given->end(), std::int64_t{0}) != size) {
    throw std::invalid_argument(fmt::format("the parts do not make up an axis of {}", size));
  }
  return *given;
}

/// One axis of Slice, with ONNX's clamping of starts and ends.
Tensor slice_axis(const Tensor& input, std::int64_t axis, std::int64_t start, std::int64_t end,
                  std::int64_t step) {
  const std::int64_t size = input.size(axis);
  if (step == 0) throw std::invalid_argument("a step of 0");
  if (start < 0) start = std::max(start, -size) + size;
  if (end < 0) end = std::max(end, -size - 1) + size;
  if (step > 0) {
    start = std::min(start, size);
    end = std::clamp<std::int64_t>(end, start, size);
    return input.slice(axis, start, end, step);
  }
  start = std::min(start, size - 1);
  end = std::clamp<std::int64_t>(end, -1, std::max<std::int64_t>(start, -1));
  std::vector<std::int64_t> picked;
  for (std::int64_t index = start; index > end; index += std::max(step, -size - 1)) {
    picked.push_back(index);
  }
  return at::index_select(input, axis, at::tensor(picked, at::kLong).to(input.device()));
}

/// The negative end that means "through the first element" when a step runs backwards.
std::int64_t backward_end(std::int64_t end, std::int64_t size) {
  return end < -size ? -size - 1 : end;
}

Tensor crop_or_pad(const Tensor& input, std::int64_t axis, std::int64_t wanted) {
  const std::int64_t size = input.size(axis);
  if (wanted < 0) throw std::invalid_argument(fmt::format("a size of {}", wanted));
  if (wanted <= size) return input.narrow(axis, (size - wanted) / 2, wanted);
  ir::Ints sizes = input.sizes().vec();
  sizes[static_cast<std::size_t>(axis)] = wanted;
  check_elements(sizes);
  ir::Ints pads(static_cast<std::size_t>(2 * (input.dim() - axis)), 0);
  const std::int64_t before = (wanted - size) / 2;
  pads[pads.size() - 2] = before;
  pads[pads.size() - 1] = wanted - size - before;
  return at::constant_pad_nd(input, pads);
}

/// Sizes after Tile; saturated where they do not fit into 63 bits.
ir::Ints repeated_sizes(const Tensor& input, const ir::Ints& counts) {
  ir::Ints sizes = input.sizes().vec();
  for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
    if (__builtin_mul_overflow(sizes[axis], counts[axis], &sizes[axis])) {
      sizes[axis] = std::numeric_limits<std::int64_t>::max();
    }
  }
  return sizes;
}

struct Blocks {
  std::int64_t size = 1;
  bool columns_first = false;
};

}  // namespace

Kernel make_concat(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis");
  return [axis](Call& call) {
    call.outputs[0] = at::concat(at::TensorList(call.inputs.data(), call.inputs.size()), axis);
  };
}

Kernel make_split(const KernelRequest& request) {
  const std::int64_t axis = request.node.get_int("axis", 0);
  return [axis, sizes = IntsInput(request, 1, "split")](Call& call) {
    const Tensor& input = call.inputs[0];
    const std::int64_t along = wrap_axis(axis, input.dim());
    const ir::Ints parts = split_sizes(sizes.get(call), input.size(along), call.outputs.size());
    std::int64_t start = 0;
    for (std::size_t index = 0; index < parts.size(); ++index) {
      call.outputs[index] = input.narrow(along, start, parts[index]);
      start += parts[index];
    }
  };
}

Kernel make_slice(const KernelRequest& request) {
  return [starts = IntsInput(request, 1), ends = IntsInput(request, 2),
          axes = IntsInput(request, 3), steps = IntsInput(request, 4)](Call& call) {
    Tensor result = call.inputs[0];
    const ir::Ints first = starts.require(call, "starts");
    const ir::Ints last = ends.require(call, "ends");
    ir::Ints along(first.size());
    std::iota(along.begin(), along.end(), 0);
    along = wrap_axes(axes.get(call).value_or(along), result.dim());
    const ir::Ints step = steps.get(call).value_or(ir::Ints(first.size(), 1));
    if (last.size() != first.size() || along.size() != first.size() ||
        step.size() != first.size()) {
      throw std::invalid_argument("starts, ends, axes and steps have different lengths");
    }
    for (std::size_t index = 0; index < first.size(); ++index) {
      const std::int64_t size = result.size(along[index]);
      const std::int64_t end = step[index] < 0 ? backward_end(last[index], size) : last[index];
      result = slice_axis(result, along[index], first[index], end, step[index]);
    }
    call.outputs[0] = result;
  };
}

Kernel make_tile(const KernelRequest& request) {
  return [repeats = IntsInput(request, 1)](Call& call) {
    const ir::Ints counts = repeats.require(call, "repeats");
    if (counts.size() != static_cast<std::size_t>(call.inputs[0].dim())) {
      throw std::invalid_argument("repeats needs one number an axis");
    }
    check_elements(repeated_sizes(call.inputs[0], counts));
    call.outputs[0] = call.inputs[0].repeat(counts);
  };
}

Kernel make_depth_to_space(const KernelRequest& request) {
  const Blocks blocks{.size = request.node.get_int("blocksize"),
                      .columns_first = request.node.get_string("mode", "DCR") == "CRD"};
  return [blocks](Call& call) {
    const Tensor& input = call.inputs[0];
    const std::int64_t area = blocks.size * blocks.size;
    if (input.dim() != 4 || blocks.size < 1 || input.size(1) % area != 0) {
      throw std::invalid_argument("channels do not divide into blocks");
    }
    const auto sizes = input.sizes();
    const std::int64_t depth = sizes[1] / area;
    const std::int64_t side = blocks.size;
    const Tensor split = blocks.columns_first
                             ? input.reshape({sizes[0], depth, side, side, sizes[2], sizes[3]})
                                   .permute({0, 1, 4, 2, 5, 3})
                             : input.reshape({sizes[0], side, side, depth, sizes[2], sizes[3]})
                                   .permute({0, 3, 4, 1, 5, 2});
    call.outputs[0] = split.reshape({sizes[0], depth, sizes[2] * side, sizes[3] * side});
  };
}

Kernel make_space_to_depth(const KernelRequest& request) {
  const std::int64_t side = request.node.get_int("blocksize");
  return [side](Call& call) {
    const Tensor& input = call.inputs[0];
    if (input.dim() != 4 || side < 1 || input.size(2) % side != 0 || input.size(3) % side != 0) {
      throw std::invalid_argument("spatial sizes do not divide into blocks");
    }
    const auto sizes = input.sizes();
    call.outputs[0] =
        input.reshape({sizes[0], sizes[1], sizes[2] / side, side, sizes[3] / side, side})
            .permute({0, 3, 5, 1, 2, 4})
            .reshape({sizes[0], sizes[1] * side * side, sizes[2] / side, sizes[3] / side});
  };
}

Kernel make_trilu(const KernelRequest& request) {
  const bool upper = request.node.get_int("upper", 1) != 0;
  return [upper, diagonal = IntsInput(request, 1)](Call& call) {
    const ir::Ints offset = diagonal.get(call).value_or(ir::Ints{0});
    if (offset.size() != 1) throw std::invalid_argument("k must be one number");
    const Tensor input = widen(call.inputs[0]);
    const Tensor result = upper ? at::triu(input, offset[0]) : at::tril(input, offset[0]);
    call.outputs[0] = result.to(call.inputs[0].scalar_type());
  };
}

Kernel make_where(const KernelRequest&) {
  return [](Call& call) {
    const at::ScalarType type = call.inputs[1].scalar_type();
    call.outputs[0] =
        at::where(call.inputs[0], widen(call.inputs[1]), widen(call.inputs[2])).to(type);
  };
}

Kernel make_center_crop_pad(const KernelRequest& request) {
  const ir::Ints axes = request.node.get_ints("axes", {});
  return [axes, shape = IntsInput(request, 1)](Call& call) {
    Tensor result = call.inputs[0];
    const ir::Ints wanted = shape.require(call, "shape");
    ir::Ints along(wanted.size());
    std::iota(along.begin(), along.end(), 0);
    if (!axes.empty()) along = axes;
    along = wrap_axes(along, result.dim());
    if (along.size() != wanted.size()) throw std::invalid_argument("shape needs one size an axis");
    for (std::size_t index = 0; index < along.size(); ++index) {
      result = crop_or_pad(result, along[index], wanted[index]);
    }
    call.outputs[0] = result;
  };
}

}  // namespace espalier::exec
