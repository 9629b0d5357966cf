#include <algorithm>
#include <array>
#include <numeric>

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "espalier/onnx/adapters/adapter.h"
#include "espalier/onnx/adapters/decompose.h"
#include "espalier/onnx/elem_type.h"

namespace espalier::onnx {
namespace {

/// Reduce* 18 -> 17: axes became an attribute again.
void axes_to_attribute(ir::Graph& graph, ir::Node& node) {
  const bool reduces_nothing = node.get_int("noop_with_empty_axes", 0) != 0;
  node.remove("noop_with_empty_axes");
  const auto axes = constant_ints(node.input(1));
  if (!axes && node.input(1) != nullptr) refuse_below(node, 18, "axes that are computed");
  drop_input(graph, node, 1);
  if (axes && !axes->empty()) {
    node.set("axes", *axes);
  } else if (reduces_nothing) {
    become(graph, node, "Identity", {node.input(0)});
  }
}

/// Split 18 -> 17: without `split` the parts were equal.
void uncount_split(ir::Graph& graph, ir::Node& node) {
  const std::int64_t parts = node.get_int("num_outputs", 0);
  node.remove("num_outputs");
  if (node.input(1) != nullptr || parts == 0) return;
  const auto size = size_of(node.input(0), node.get_int("axis", 0));
  if (!size) refuse_below(node, 18, "num_outputs on an axis of unknown size");
  if (*size % parts == 0) return;
  const std::int64_t chunk = (*size + parts - 1) / parts;
  ir::Ints split(static_cast<std::size_t>(parts), chunk);
  split.back() = *size - chunk * (parts - 1);
  if (split.back() < 0) refuse_below(node, 18, "more outputs than the axis can give");
  graph.set_input(node, 1, &add_constant(graph, node, "split", int_vector(split)));
}

/// Axes counted from 0, each inside the rank; refused below `lowest` otherwise.
ir::Ints plain_axes(const ir::Node& node, ir::Ints axes, std::int64_t rank, std::int64_t lowest) {
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) refuse_below(node, lowest, "an axis outside of the tensor");
  }
  return axes;
}

/// Pad 18 -> 17: pads for all axes.
void spread_pads(ir::Graph& graph, ir::Node& node) {
  if (node.input(3) == nullptr) return;
  const auto axes = constant_ints(node.input(3));
  const auto pads = constant_ints(node.input(1));
  const auto rank = rank_of(node.input(0));
  if (!axes || !pads || !rank || pads->size() != 2 * axes->size()) {
    refuse_below(node, 18, "axes or pads that are computed");
  }
  const ir::Ints places = plain_axes(node, *axes, *rank, 18);
  ir::Ints spread(static_cast<std::size_t>(2 * *rank), 0);
  for (std::size_t index = 0; index < places.size(); ++index) {
    spread[static_cast<std::size_t>(places[index])] = (*pads)[index];
    spread[static_cast<std::size_t>(places[index] + *rank)] = (*pads)[index + places.size()];
  }
  drop_input(graph, node, 3);
  ir::Value* before = node.input(1);
  graph.set_input(node, 1, &add_constant(graph, node, "pads", int_vector(spread)));
  if (before->uses().empty() && !before->is_output()) graph.erase(*before);
}

void refuse_wrap(ir::Graph&, ir::Node& node) {
  if (node.get_string("mode", "constant") == "wrap") refuse_below(node, 19, "mode 'wrap'");
}

void refuse_symmetric_resize(ir::Graph&, ir::Node& node) {
  const std::string mode = node.get_string("coordinate_transformation_mode", "half_pixel");
  if (mode == "half_pixel_symmetric") refuse_below(node, 19, fmt::format("mode '{}'", mode));
}

/// Resize 18 -> 17: scales or sizes for all axes.
void spread_resize(ir::Graph& graph, ir::Node& node) {
  if (node.get_string("keep_aspect_ratio_policy", "stretch") != "stretch") {
    refuse_below(node, 18, "a keep_aspect_ratio_policy");
  }
  if (!node.has("axes")) return;
  const auto rank = rank_of(node.input(0));
  ir::Value* scales = node.input(2);
  if (!rank || scales == nullptr || !scales->is_initializer() || node.input(3) != nullptr) {
    refuse_below(node, 18, "axes with sizes, or with scales that are computed");
  }
  const ir::Ints axes = plain_axes(node, node.get_ints("axes", {}), *rank, 18);
  Tensor spread = at::ones({*rank}, at::kFloat);
  for (std::size_t index = 0; index < axes.size(); ++index) {
    spread[axes[index]] = scales->constant()[static_cast<std::int64_t>(index)];
  }
  node.remove("axes");
  graph.set_input(node, 2, &add_constant(graph, node, "scales", std::move(spread)));
  if (scales->uses().empty() && !scales->is_output()) graph.erase(*scales);
}

void refuse_scatter_reduction(ir::Graph&, ir::Node& node) {
  const std::string reduction = node.get_string("reduction", "none");
  if (reduction == "max" || reduction == "min") {
    refuse_below(node, 18, fmt::format("reduction '{}'", reduction));
  }
}

/// AveragePool and LpPool: dilations of one are what there was before.
void drop_unit_dilations(ir::Graph&, ir::Node& node) {
  if (!node.has("dilations")) return;
  const ir::Ints dilations = node.get_ints("dilations", {});
  if (std::ranges::any_of(dilations, [](std::int64_t value) { return value != 1; })) {
    refuse_below(node, node.is("LpPool") ? 18 : 19, "dilations");
  }
  node.remove("dilations");
}

void drop_saturate(ir::Graph&, ir::Node& node) {
  node.remove("saturate");
}

/// QuantizeLinear 21 -> 20: the type of the codes is that of the zero point.
void name_code_type(ir::Graph& graph, ir::Node& node) {
  if (node.get_int("block_size", 0) != 0) refuse_below(node, 21, "a block_size");
  const auto type = static_cast<std::int32_t>(node.get_int("output_dtype", 0));
  node.remove("output_dtype");
  if (node.input(2) != nullptr || type == 0) return;
  const ir::Value* scale = node.input(1);
  const auto dtype = tensor::to_scalar_type(dtype_of(type));
  if (!dtype || scale == nullptr || !scale->is_initializer()) {
    refuse_below(node, 21, "output_dtype with a scale that is computed");
  }
  graph.set_input(
      node, 2,
      &add_constant(graph, node, "zero_point", at::zeros(scale->constant().sizes(), *dtype)));
}

void refuse_blocks(ir::Graph&, ir::Node& node) {
  if (node.get_int("block_size", 0) != 0) refuse_below(node, 21, "a block_size");
}

void restore_grid_modes(ir::Graph&, ir::Node& node) {
  const std::string mode = node.get_string("mode", "linear");
  if (rank_of(node.input(0)).value_or(4) != 4) refuse_below(node, 20, "a volume");
  if (mode == "linear") node.set("mode", std::string("bilinear"));
  if (mode == "cubic") node.set("mode", std::string("bicubic"));
}

void refuse_half_pixels(ir::Graph&, ir::Node& node) {
  if (node.get_string("coordinate_transformation_mode", "half_pixel") != "output_half_pixel") {
    refuse_below(node, 16, "half-pixel coordinates");
  }
  node.remove("coordinate_transformation_mode");
}

void refuse_training(ir::Graph&, ir::Node& node) {
  if (node.get_int("training_mode", 0) != 0) refuse_below(node, 14, "training_mode");
}

constexpr std::array kDowngrades{
    Adapter{"QuantizeLinear", 21, name_code_type},
    Adapter{"DequantizeLinear", 21, refuse_blocks},
    Adapter{"GroupNormalization", 21, decompose_channel_group_norm},
    Adapter{"Gelu", 20, decompose_gelu},
    Adapter{"GridSample", 20, restore_grid_modes},
    Adapter{"Cast", 19, drop_saturate},
    Adapter{"CastLike", 19, drop_saturate},
    Adapter{"QuantizeLinear", 19, drop_saturate},
    Adapter{"AveragePool", 19, drop_unit_dilations},
    Adapter{"Pad", 19, refuse_wrap},
    Adapter{"Resize", 19, refuse_symmetric_resize},
    Adapter{"ReduceMax", 18, axes_to_attribute},
    Adapter{"ReduceMin", 18, axes_to_attribute},
    Adapter{"ReduceMean", 18, axes_to_attribute},
    Adapter{"ReduceProd", 18, axes_to_attribute},
    Adapter{"ReduceL1", 18, axes_to_attribute},
    Adapter{"ReduceL2", 18, axes_to_attribute},
    Adapter{"ReduceLogSum", 18, axes_to_attribute},
    Adapter{"ReduceLogSumExp", 18, axes_to_attribute},
    Adapter{"ReduceSumSquare", 18, axes_to_attribute},
    Adapter{"Split", 18, uncount_split},
    Adapter{"Pad", 18, spread_pads},
    Adapter{"Resize", 18, spread_resize},
    Adapter{"LpPool", 18, drop_unit_dilations},
    Adapter{"ScatterElements", 18, refuse_scatter_reduction},
    Adapter{"ScatterND", 18, refuse_scatter_reduction},
    Adapter{"Mish", 18, decompose_mish},
    Adapter{"GroupNormalization", 18, decompose_group_norm},
    Adapter{"RoiAlign", 16, refuse_half_pixels},
    Adapter{"BatchNormalization", 14, refuse_training},
    Adapter{"HardSwish", 14, decompose_hard_swish},
};

}  // namespace

std::span<const Adapter> downgrades() {
  return kDowngrades;
}

}  // namespace espalier::onnx
