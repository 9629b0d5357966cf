#include "espalier/passes/layer_patches.h"

#include <algorithm>
#include <array>

#include <ATen/TensorOperators.h>
#include <ATen/core/List.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/index.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>

#include "espalier/base/random.h"

namespace espalier::passes {
namespace {

constexpr std::size_t kWeight = 1;

/// Window of a two-dimensional convolution along one axis.
struct Window {
  std::int64_t kernel = 1;
  std::int64_t stride = 1;
  std::int64_t dilation = 1;
  std::int64_t begin = 0;  ///< padding before
  std::int64_t end = 0;
};

Window window_of(const ir::Node& node, std::size_t axis, const Tensor& input,
                 const Tensor& output) {
  const auto dim = static_cast<std::int64_t>(axis) + 2;
  const ir::Ints strides = node.get_ints("strides", {1, 1});
  const ir::Ints dilations = node.get_ints("dilations", {1, 1});
  const ir::Ints pads = node.get_ints("pads", {0, 0, 0, 0});
  Window window{.kernel = node.input(kWeight)->constant().size(dim),
                .stride = strides[axis],
                .dilation = dilations[axis]};
  const std::string automatic = node.get_string("auto_pad", "NOTSET");
  if (automatic == "NOTSET") {
    window.begin = pads[axis];
    window.end = pads[axis + 2];
  } else if (automatic != "VALID") {
    const std::int64_t reach = (window.kernel - 1) * window.dilation + 1;
    const std::int64_t total =
        std::max<std::int64_t>((output.size(dim) - 1) * window.stride + reach - input.size(dim), 0);
    const std::int64_t less = total / 2;
    window.begin = automatic == "SAME_UPPER" ? less : total - less;
    window.end = total - window.begin;
  }
  return window;
}

Tensor indices(const std::vector<std::int64_t>& values) {
  return at::tensor(values, at::kLong);
}

/// [positions, kernel]: where the window of each position reaches in the padded input.
Tensor reach(const std::vector<std::int64_t>& places, const Window& window) {
  const Tensor offsets = at::arange(window.kernel, at::kLong) * window.dilation;
  return (indices(places) * window.stride).unsqueeze(1) + offsets.unsqueeze(0);
}

Tensor flat_rows(const Tensor& tensor) {
  return tensor.reshape({-1, tensor.size(-1)});
}

}  // namespace

std::optional<LinearLayer> linear_layer(const ir::Node& node, std::string& reason) {
  const bool convolves = node.is("Conv");
  const bool multiplies = node.is("Gemm") || node.is("MatMul");
  if (node.is("ConvTranspose")) reason = "transposed convolutions are not reconstructed";
  if (!convolves && !multiplies) return std::nullopt;
  const ir::Value* weight = node.input(kWeight);
  if (weight == nullptr || !weight->is_initializer()) {
    // A product of two activations has no weight to speak of.
    const bool left = node.input(0) != nullptr && node.input(0)->is_initializer();
    if (convolves || left) reason = "its weight is computed, or stands on the left";
    return std::nullopt;
  }
  if (weight->uses().size() != 1) reason = "its weight is shared";
  if (!at::isFloatingType(weight->constant().scalar_type())) reason = "its weight is no float";
  if (weight->constant().dim() != (convolves ? 4 : 2)) {
    reason = convolves ? "it is not two-dimensional" : "its weight is no matrix";
  }
  const bool scaled =
      node.is("Gemm") && (node.get_float("alpha", 1) != 1.0F || node.get_float("beta", 1) != 1.0F ||
                          node.get_int("transA", 0) != 0);
  if (scaled) reason = "it scales or transposes its operands";
  if (!reason.empty()) return std::nullopt;
  const bool transposed = multiplies && node.get_int("transB", 0) == 0;
  return LinearLayer{.node = &node,
                     .groups = convolves ? node.get_int("group", 1) : 1,
                     .filter_axis = transposed ? 1 : 0,
                     .convolves = convolves,
                     .transposed = transposed};
}

Positions draw_positions(const LinearLayer& layer, const Tensor& output, std::int64_t count,
                         std::uint64_t seed) {
  base::Random random(seed);
  Positions positions;
  if (!layer.convolves) {
    const std::int64_t rows = flat_rows(output).size(0);
    const std::int64_t wanted = count * output.size(0);
    for (std::int64_t row = 0; row < std::min(rows, wanted); ++row) {
      const auto drawn = random.below(static_cast<std::uint64_t>(rows));
      positions.rows.push_back(rows <= wanted ? row : static_cast<std::int64_t>(drawn));
    }
    return positions;
  }
  const std::int64_t width = output.size(3);
  const std::int64_t places = output.size(2) * width;
  for (std::int64_t row = 0; row < output.size(0); ++row) {
    for (std::int64_t index = 0; index < std::min(count, places); ++index) {
      const auto drawn = random.below(static_cast<std::uint64_t>(places));
      const std::int64_t place = places <= count ? index : static_cast<std::int64_t>(drawn);
      positions.rows.push_back(row);
      positions.heights.push_back(place / width);
      positions.widths.push_back(place % width);
    }
  }
  return positions;
}

Tensor patches_at(const LinearLayer& layer, const Tensor& input, const Tensor& output,
                  const Positions& positions) {
  const auto count = static_cast<std::int64_t>(positions.rows.size());
  if (!layer.convolves) {
    return at::index_select(flat_rows(input), 0, indices(positions.rows))
        .to(at::kDouble)
        .unsqueeze(0);
  }
  const Window high = window_of(*layer.node, 0, input, output);
  const Window wide = window_of(*layer.node, 1, input, output);
  const std::array<std::int64_t, 4> pads{wide.begin, wide.end, high.begin, high.end};
  const Tensor padded = at::constant_pad_nd(input, pads, 0).permute({0, 2, 3, 1});
  const Tensor rows = indices(positions.rows).view({count, 1, 1});
  const Tensor heights = reach(positions.heights, high).unsqueeze(2);
  const Tensor widths = reach(positions.widths, wide).unsqueeze(1);
  // [positions, kernel height, kernel width, channels]
  const Tensor patches = at::index(padded, {rows, heights, widths}).to(at::kDouble);
  const std::int64_t channels = input.size(1) / layer.groups;
  return patches.view({count, high.kernel * wide.kernel, layer.groups, channels})
      .permute({2, 0, 3, 1})
      .reshape({layer.groups, count, channels * high.kernel * wide.kernel});
}

Tensor outputs_at(const LinearLayer& layer, const Tensor& output, const Positions& positions) {
  if (!layer.convolves) {
    return at::index_select(flat_rows(output), 0, indices(positions.rows)).to(at::kDouble);
  }
  return at::index(output.permute({0, 2, 3, 1}),
                   {indices(positions.rows), indices(positions.heights), indices(positions.widths)})
      .to(at::kDouble);
}

Tensor to_matrix(const LinearLayer& layer, const Tensor& weight) {
  const Tensor numbers = weight.to(at::kDouble);
  const Tensor filters_first = layer.transposed ? numbers.t() : numbers;
  const std::int64_t filters = filters_first.size(0) / layer.groups;
  return filters_first.reshape({layer.groups, filters, -1}).transpose(1, 2);
}

Tensor from_matrix(const LinearLayer& layer, const Tensor& matrix, const Tensor& like) {
  const Tensor filters_first = matrix.transpose(1, 2).reshape({-1, matrix.size(1)});
  const Tensor numbers = layer.transposed ? filters_first.t() : filters_first;
  return numbers.reshape(like.sizes()).to(like.scalar_type()).contiguous();
}

}  // namespace espalier::passes
