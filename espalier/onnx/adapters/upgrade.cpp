#include <algorithm>
#include <array>

#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/onnx/adapters/adapter.h"

namespace espalier::onnx {
namespace {

/// BatchNormalization: `spatial` went with opset 9; 1 was the default and is the meaning now.
void drop_spatial(ir::Graph&, ir::Node& node) {
  if (node.get_int("spatial", 1) != 1) {
    refuse_upgrade(node, "spatial 0, statistics for every place of the image");
  }
  node.remove("spatial");
}

/// BatchNormalization 14 counts its outputs differently; more than one meant training before.
void drop_training_outputs(ir::Graph& graph, ir::Node& node) {
  for (std::size_t index = 1; index < node.outputs().size(); ++index) {
    const ir::Value* output = node.output(index);
    if (output != nullptr && (!output->uses().empty() || output->is_output())) {
      refuse_upgrade(node, "an output of its training form in use");
    }
  }
  if (node.outputs().size() == 1) return;
  ir::Value& before = *node.output();
  const ir::TypeInfo type = before.type();
  const std::string name = before.name();
  const std::string node_name = node.name();
  ir::Node& image = graph.insert_before(
      node,
      {.op = node.op(), .inputs = node.inputs(), .outputs = {""}, .attributes = node.attributes()});
  image.output()->set_type(type);
  graph.replace_all_uses(before, *image.output());
  graph.erase(node);
  graph.rename(*image.output(), name);
  graph.rename(image, node_name);
}

/// Slice 10: starts, ends, axes became inputs.
void slice_inputs(ir::Graph& graph, ir::Node& node) {
  ints_to_input(graph, node, "starts", 1);
  ints_to_input(graph, node, "ends", 2);
  ints_to_input(graph, node, "axes", 3);
}

/// TopK 10: k became an input.
void top_k_input(ir::Graph& graph, ir::Node& node) {
  const std::int64_t count = node.get_int("k");
  node.remove("k");
  graph.set_input(node, 1, &add_constant(graph, node, "k", int_vector({count})));
}

/// Clip 11: limits became inputs.
void clip_inputs(ir::Graph& graph, ir::Node& node) {
  std::size_t index = 1;
  for (const char* limit : {"min", "max"}) {
    if (node.has(limit)) {
      const float value = node.get_float(limit, 0);
      graph.set_input(node, index,
                      &add_constant(graph, node, limit, scalar_like(node.input(0), value)));
      node.remove(limit);
    }
    ++index;
  }
}

/// Pad 11: pads and value became inputs.
void pad_inputs(ir::Graph& graph, ir::Node& node) {
  ints_to_input(graph, node, "pads", 1);
  const float value = node.get_float("value", 0);
  node.remove("value");
  if (value == 0) return;
  graph.set_input(node, 2, &add_constant(graph, node, "value", scalar_like(node.input(0), value)));
}

/// Resize 11: what Resize 10 and Upsample did is now spelled out.
void spell_out_resize(ir::Graph& graph, ir::Node& node) {
  ir::Value* scales = node.input(1);
  if (scales == nullptr) {
    const ir::Floats values = node.get_floats("scales", {});
    scales = &add_constant(graph, node, "scales", at::tensor(values, at::kFloat));
  }
  node.remove("scales");
  graph.set_op(node, "Resize");
  graph.set_input(node, 1, nullptr);
  graph.set_input(node, 2, scales);
  if (node.get_string("mode", "nearest") == "bilinear") node.set("mode", std::string("linear"));
  node.set("coordinate_transformation_mode", std::string("asymmetric"));
  node.set("nearest_mode", std::string("floor"));
}

void rename_scatter(ir::Graph& graph, ir::Node& node) {
  graph.set_op(node, "ScatterElements");
}

/// Dropout 12: ratio became an input.
void dropout_input(ir::Graph& graph, ir::Node& node) {
  if (!node.has("ratio")) return;
  const float ratio = node.get_float("ratio", 0);
  node.remove("ratio");
  graph.set_input(node, 1,
                  &add_constant(graph, node, "ratio", at::scalar_tensor(ratio, at::kFloat)));
}

void axes_to_input(ir::Graph& graph, ir::Node& node) {
  ints_to_input(graph, node, "axes", 1);
}
void split_to_input(ir::Graph& graph, ir::Node& node) {
  ints_to_input(graph, node, "split", 1);
}

/// Softmax, LogSoftmax, Hardmax before 13 flattened their input at `axis` (default 1) and worked on
/// all of what follows; since 13 they work along one axis.
void unflatten_softmax(ir::Graph& graph, ir::Node& node) {
  ir::Value* input = node.input(0);
  const auto rank = rank_of(input);
  std::int64_t axis = node.get_int("axis", 1);
  if (axis < 0 && rank) axis += *rank;
  bool one_axis = rank && axis == *rank - 1;
  if (rank && !one_axis) {
    one_axis = true;
    for (std::int64_t behind = axis + 1; behind < *rank; ++behind) {
      one_axis = one_axis && size_of(input, behind) == 1;
    }
  }
  if (one_axis) {
    node.set("axis", axis);
    return;
  }
  const std::string op = node.op();
  ir::Value& shape = insert_op(graph, node, "shape", "Shape", {input});
  shape.set_type({.dtype = tensor::DType::Int64, .shape = {}});
  ir::Value& flat = insert_op(graph, node, "flat", "Flatten", {input}, {{"axis", axis}});
  ir::Value& result = insert_op(graph, node, "rows", op, {&flat}, {{"axis", std::int64_t{-1}}});
  become(graph, node, "Reshape", {&result, &shape});
}

/// RoiAlign 16 shifted its default by half a pixel.
void keep_roi_pixels(ir::Graph&, ir::Node& node) {
  if (node.has("coordinate_transformation_mode")) return;
  node.set("coordinate_transformation_mode", std::string("output_half_pixel"));
}

/// Split 18: either `split` or `num_outputs`.
void count_split(ir::Graph&, ir::Node& node) {
  if (node.input(1) != nullptr) return;
  node.set("num_outputs", static_cast<std::int64_t>(node.outputs().size()));
}

void rename_grid_modes(ir::Graph&, ir::Node& node) {
  const std::string mode = node.get_string("mode", "bilinear");
  if (mode == "bilinear") node.set("mode", std::string("linear"));
  if (mode == "bicubic") node.set("mode", std::string("cubic"));
}

/// GroupNormalization 21: scale and bias per channel instead of per group.
void spread_group_parameters(ir::Graph& graph, ir::Node& node) {
  const auto channels = size_of(node.input(0), 1);
  const std::int64_t groups = node.get_int("num_groups", 1);
  for (const std::size_t index : {1U, 2U}) {
    const ir::Value* parameter = node.input(index);
    if (!channels || parameter == nullptr || !parameter->is_initializer() ||
        parameter->constant().numel() != groups || *channels % groups != 0) {
      refuse_upgrade(node, "parameters of groups whose channels are unknown");
    }
    Tensor spread = parameter->constant().repeat_interleave(*channels / groups);
    const std::string what = parameter->name() + "_channels";
    drop_input(graph, node, index);
    graph.set_input(node, index, &add_constant(graph, node, what, std::move(spread)));
  }
}

void refuse_scan(ir::Graph&, ir::Node& node) {
  refuse_upgrade(node, "the batched form of opset 8");
}

constexpr std::array kUpgrades{
    Adapter{"BatchNormalization", 9, drop_spatial},
    Adapter{"Scan", 9, refuse_scan},
    Adapter{"Slice", 10, slice_inputs},
    Adapter{"TopK", 10, top_k_input},
    Adapter{"Upsample", 11, spell_out_resize},
    Adapter{"Resize", 11, spell_out_resize},
    Adapter{"Clip", 11, clip_inputs},
    Adapter{"Pad", 11, pad_inputs},
    Adapter{"Scatter", 11, rename_scatter},
    Adapter{"Dropout", 12, dropout_input},
    Adapter{"Squeeze", 13, axes_to_input},
    Adapter{"Unsqueeze", 13, axes_to_input},
    Adapter{"ReduceSum", 13, axes_to_input},
    Adapter{"Split", 13, split_to_input},
    Adapter{"Softmax", 13, unflatten_softmax},
    Adapter{"LogSoftmax", 13, unflatten_softmax},
    Adapter{"Hardmax", 13, unflatten_softmax},
    Adapter{"BatchNormalization", 14, drop_training_outputs},
    Adapter{"RoiAlign", 16, keep_roi_pixels},
    Adapter{"Split", 18, count_split},
    Adapter{"ReduceMax", 18, axes_to_input},
    Adapter{"ReduceMin", 18, axes_to_input},
    Adapter{"ReduceMean", 18, axes_to_input},
    Adapter{"ReduceProd", 18, axes_to_input},
    Adapter{"ReduceL1", 18, axes_to_input},
    Adapter{"ReduceL2", 18, axes_to_input},
    Adapter{"ReduceLogSum", 18, axes_to_input},
    Adapter{"ReduceLogSumExp", 18, axes_to_input},
    Adapter{"ReduceSumSquare", 18, axes_to_input},
    Adapter{"GridSample", 20, rename_grid_modes},
    Adapter{"GroupNormalization", 21, spread_group_parameters},
};

}  // namespace

std::span<const Adapter> upgrades() {
  return kUpgrades;
}

}  // namespace espalier::onnx
