#include "espalier/passes/fake_quantize_node.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/clamp.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/round.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

[[noreturn]] void refuse(const ir::Node& node, std::string got, std::string expected) {
  throw base::UserError({.what = "bad quantization parameters",
                         .where = node.label(),
                         .got = std::move(got),
                         .expected = std::move(expected)});
}

/// Reads the axis, which must exist and have as many indices as there are scales.
void check_axis(const ir::Node& node, FakeQuantizeParams& params) {
  const std::int64_t axis = node.get_int("axis", -1);
  if (axis < 0) {
    if (params.scale.numel() == 1) return;
    refuse(node, fmt::format("{} scales without an axis", params.scale.numel()), "one scale");
  }
  params.axis = axis;
  const auto& shape = node.input(0)->type().shape;
  if (!shape) return;
  const auto rank = static_cast<std::int64_t>(shape->size());
  if (axis >= rank) {
    refuse(node, fmt::format("axis {}", axis), fmt::format("an axis below the rank {}", rank));
  }
  const auto& size = (*shape)[static_cast<std::size_t>(axis)].size;
  if (size && *size != params.scale.numel()) {
    refuse(node, fmt::format("{} scales", params.scale.numel()),
           fmt::format("{}, the size of axis {}", *size, axis));
  }
}

/// A vector along `axis` of a tensor of that rank; a single value broadcasts everywhere.
Tensor along_axis(const Tensor& vector, std::optional<std::int64_t> axis, std::int64_t rank) {
  if (!axis) return vector.reshape({});
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank), 1);
  sizes.at(static_cast<std::size_t>(*axis)) = vector.numel();
  return vector.reshape(sizes);
}

ir::Node& insert_behind(ir::Graph& graph, const ir::Value& value, ir::NodeSpec spec) {
  if (value.producer() != nullptr) return graph.insert_after(*value.producer(), std::move(spec));
  if (ir::Node* user = value.uses().size() == 1 ? value.uses().front().node : nullptr) {
    return graph.insert_before(*user, std::move(spec));
  }
  const auto nodes = graph.nodes();
  if (nodes.empty()) return graph.add_node(std::move(spec));
  return graph.insert_before(*nodes.front(), std::move(spec));
}

}  // namespace

bool is_fake_quantize(const ir::Node& node) {
  return node.op() == kFakeQuantize && node.domain() == ir::kEspalierDomain;
}

ir::Node* fake_quantize_behind(const ir::Value* value) {
  ir::Node* producer = value == nullptr ? nullptr : value->producer();
  return producer != nullptr && is_fake_quantize(*producer) ? producer : nullptr;
}

ir::Node& add_fake_quantize(ir::Graph& graph, ir::Value& value, const tensor::QuantParams& params) {
  Tensor scale = at::tensor(params.scale);
  Tensor zero_point = at::tensor(params.zero_point);
  ir::Attributes attributes{{"qmin", params.grid.qmin()}, {"qmax", params.grid.qmax()}};
  if (params.per_channel()) {
    attributes["axis"] = std::int64_t{params.axis};
  } else {
    scale = scale.reshape({});
    zero_point = zero_point.reshape({});
  }
  const std::string& name = value.name();
  ir::Value& scale_value =
      graph.add_initializer(graph.unique_value_name(name + "_scale"), std::move(scale));
  ir::Value& zero_value =
      graph.add_initializer(graph.unique_value_name(name + "_zero_point"), std::move(zero_point));
  ir::Node& node = insert_behind(graph, value,
                                 {.op = std::string(kFakeQuantize),
                                  .inputs = {&value, &scale_value, &zero_value},
                                  .outputs = {graph.unique_value_name(name + "_dq")},
                                  .attributes = std::move(attributes),
                                  .name = graph.unique_node_name(name + "_fake_quantize"),
                                  .domain = std::string(ir::kEspalierDomain)});
  node.output()->set_type(value.type());
  graph.opsets[std::string(ir::kEspalierDomain)] = 1;
  return node;
}

FakeQuantizeParams fake_quantize_params(const ir::Node& node) {
  if (node.input(0) == nullptr) refuse(node, "no value", "a value to quantize");
  const Tensor* scale = constant_of(node.input(1));
  const Tensor* zero_point = constant_of(node.input(2));
  if (scale == nullptr || zero_point == nullptr) {
    refuse(node, "a computed scale or zero point", "constants");
  }
  FakeQuantizeParams params{.qmin = node.get_int("qmin"),
                            .qmax = node.get_int("qmax"),
                            .axis = std::nullopt,
                            .scale = scale->to(at::kFloat).reshape({-1}).contiguous(),
                            .zero_point = zero_point->to(at::kInt).reshape({-1}).contiguous()};
  if (params.scale.numel() != params.zero_point.numel() || params.scale.numel() == 0) {
    refuse(node,
           fmt::format("{} scales and {} zero points", params.scale.numel(),
                       params.zero_point.numel()),
           "as many zero points as scales");
  }
  if (!(params.scale > 0).logical_and(at::isfinite(params.scale)).all().item<bool>()) {
    refuse(node, "a scale that is zero, negative or not finite", "positive finite scales");
  }
  const Tensor inside =
      (params.zero_point >= params.qmin).logical_and(params.zero_point <= params.qmax);
  if (!inside.all().item<bool>()) {
    refuse(node, "a zero point outside of the codes",
           fmt::format("{}..{}", params.qmin, params.qmax));
  }
  check_axis(node, params);
  return params;
}

std::int64_t weight_headroom(const FakeQuantizeParams& params) {
  if ((params.zero_point != 0).any().item<bool>()) return 1;
  return tensor::code_headroom(params.qmin, params.qmax);
}

Tensor quantize_codes(const Tensor& values, const FakeQuantizeParams& params) {
  const Tensor scale = along_axis(params.scale, params.axis, values.dim());
  const Tensor zero = along_axis(params.zero_point, params.axis, values.dim());
  const Tensor scaled = at::nan_to_num(at::round(values.to(at::kFloat) / scale), 0.0);
  return at::clamp(scaled + zero.to(at::kFloat), static_cast<double>(params.qmin),
                   static_cast<double>(params.qmax))
      .to(at::kInt);
}

}  // namespace espalier::passes
