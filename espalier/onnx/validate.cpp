#include "espalier/onnx/validate.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/schema.h"
#include "espalier/ops/facts.h"

namespace espalier::onnx {
namespace {

/// Bound of every size of a window; sums and products of two stay far from overflow.
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 30;

[[noreturn]] void refuse(const ir::Node& node, std::string got, std::string expected) {
  throw base::UserError({.what = "bad operator",
                         .where = node.label(),
                         .got = std::move(got),
                         .expected = std::move(expected)});
}

void check_list(const ir::Node& node, const char* name, std::int64_t low) {
  for (const std::int64_t value : node.get_ints(name, {})) {
    if (value < low || value > kMaxExtent) {
      refuse(node, fmt::format("{} [{}]", name, fmt::join(node.get_ints(name, {}), ", ")),
             fmt::format("values from {} to 2^30", low));
    }
  }
}

void check_at_least(const ir::Node& node, const char* name, std::int64_t fallback,
                    std::int64_t low) {
  const std::int64_t value = node.get_int(name, fallback);
  if (value < low || value > kMaxExtent) {
    refuse(node, fmt::format("{} {}", name, value), fmt::format("{} to 2^30", low));
  }
}

/// Rank of the weight, by which the lists of a convolution have one entry per spatial axis.
std::optional<std::size_t> weight_rank(const ir::Node& node) {
  const ops::OpFacts* facts = ops::find(node);
  if (facts == nullptr || facts->weight == ops::kNoPort) return std::nullopt;
  const ir::Value* weight = node.input(static_cast<std::size_t>(facts->weight));
  if (weight == nullptr || !weight->type().shape) return std::nullopt;
  return weight->type().shape->size();
}

std::optional<std::size_t> spatial_rank(const ir::Node& node) {
  if (node.has("kernel_shape")) return node.get_ints("kernel_shape", {}).size();
  const auto rank = weight_rank(node);
  if (!rank) return std::nullopt;
  if (*rank < 3) refuse(node, fmt::format("a weight of rank {}", *rank), "rank 3 or more");
  return *rank - 2;
}

void check_length(const ir::Node& node, const char* name, std::size_t expected) {
  const std::size_t length = node.get_ints(name, {}).size();
  if (length != 0 && length != expected) {
    refuse(node, fmt::format("{} values in {}", length, name), fmt::format("{}", expected));
  }
}

void check_reach(const ir::Node& node) {
  const ir::Ints kernel = node.get_ints("kernel_shape", {});
  const ir::Ints dilations = node.get_ints("dilations", {});
  for (std::size_t axis = 0; axis < std::min(kernel.size(), dilations.size()); ++axis) {
    if ((kernel[axis] - 1) * dilations[axis] >= kMaxExtent) {
      refuse(node, fmt::format("kernel {} with dilation {}", kernel[axis], dilations[axis]),
             "a window below 2^30");
    }
  }
}

void check_window(const ir::Node& node) {
  check_list(node, "kernel_shape", 1);
  check_list(node, "strides", 1);
  check_list(node, "dilations", 1);
  check_list(node, "pads", 0);
  check_list(node, "output_padding", 0);
  check_list(node, "output_shape", 1);
  check_at_least(node, "group", 1, 1);
  const std::string auto_pad = node.get_string("auto_pad", "NOTSET");
  constexpr std::array<std::string_view, 4> kPaddings{"NOTSET", "SAME_UPPER", "SAME_LOWER",
                                                      "VALID"};
  if (std::ranges::find(kPaddings, auto_pad) == kPaddings.end()) {
    refuse(node, fmt::format("auto_pad '{}'", auto_pad),
           fmt::format("one of {}", fmt::join(kPaddings, ", ")));
  }
  check_reach(node);
  const auto rank = spatial_rank(node);
  if (!rank) return;
  if (*rank == 0) refuse(node, "an empty kernel_shape", "one size for each spatial axis");
  for (const char* name : {"strides", "dilations", "output_padding"}) {
    check_length(node, name, *rank);
  }
  check_length(node, "pads", 2 * *rank);
  const auto weight = weight_rank(node);
  if (weight && *weight != *rank + 2) {
    refuse(node, fmt::format("kernel_shape with {} sizes", *rank),
           fmt::format("{} for a weight of rank {}", *weight - 2, *weight));
  }
}

void check_permutation(const ir::Node& node) {
  ir::Ints perm = node.get_ints("perm", {});
  const std::string text = fmt::format("perm [{}]", fmt::join(perm, ", "));
  std::ranges::sort(perm);
  for (std::size_t index = 0; index < perm.size(); ++index) {
    if (perm[index] != static_cast<std::int64_t>(index)) {
      refuse(node, text, fmt::format("each of 0 to {} once", perm.size() - 1));
    }
  }
}

void check_block(const ir::Node& node) {
  check_at_least(node, "blocksize", 1, 1);
}
void check_lrn(const ir::Node& node) {
  check_at_least(node, "size", 1, 1);
}
void check_groups(const ir::Node& node) {
  check_at_least(node, "num_groups", 1, 1);
}

struct NodeCheck {
  std::string_view op;
  void (*check)(const ir::Node&);
};

constexpr std::array kNodeChecks{
    NodeCheck{"Conv", check_window},
    NodeCheck{"ConvTranspose", check_window},
    NodeCheck{"ConvInteger", check_window},
    NodeCheck{"QLinearConv", check_window},
    NodeCheck{"DeformConv", check_window},
    NodeCheck{"MaxPool", check_window},
    NodeCheck{"AveragePool", check_window},
    NodeCheck{"LpPool", check_window},
    NodeCheck{"MaxUnpool", check_window},
    NodeCheck{"Transpose", check_permutation},
    NodeCheck{"DepthToSpace", check_block},
    NodeCheck{"SpaceToDepth", check_block},
    NodeCheck{"LRN", check_lrn},
    NodeCheck{"GroupNormalization", check_groups},
};

std::optional<std::int64_t> size_of(const ir::Value* value, std::size_t axis) {
  if (value == nullptr || !value->type().shape || axis >= value->type().shape->size()) {
    return std::nullopt;
  }
  return (*value->type().shape)[axis].size;
}

void check_divides(const ir::Node& node, std::optional<std::int64_t> channels, const char* what) {
  const std::int64_t group = node.get_int("group", 1);
  if (!channels || *channels % group == 0) return;
  refuse(node, fmt::format("group {} for {} {} channels", group, *channels, what),
         "a divisor of the channels");
}

void check_equal(const ir::Node& node, std::optional<std::int64_t> got,
                 std::optional<std::int64_t> expected, const char* what) {
  if (!got || !expected || *got == *expected) return;
  refuse(node, fmt::format("{} {}", *got, what), fmt::format("{}", *expected));
}

void check_window_fits(const ir::Node& node, const ir::Value* weight) {
  const ir::Value* input = node.input(0);
  if (input == nullptr || !input->type().shape) return;
  const std::string auto_pad = node.get_string("auto_pad", "NOTSET");
  if (auto_pad.starts_with("SAME")) return;
  const ir::Ints kernel = node.get_ints("kernel_shape", {});
  const ir::Ints dilations = node.get_ints("dilations", {});
  const ir::Ints pads = node.get_ints("pads", {});
  const std::size_t spatial = input->type().shape->size() - 2;
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    const auto extent = axis < kernel.size() ? kernel[axis] : size_of(weight, axis + 2);
    const auto size = size_of(input, axis + 2);
    if (!extent || !size) continue;
    const std::int64_t dilation = axis < dilations.size() ? dilations[axis] : 1;
    const bool padded = auto_pad == "NOTSET" && pads.size() == 2 * spatial;
    const std::int64_t padding = padded ? pads[axis] + pads[axis + spatial] : 0;
    const std::int64_t reach = (*extent - 1) * dilation + 1;
    if (reach > *size + padding) {
      refuse(node, fmt::format("a window of {} on a padded size of {}", reach, *size + padding),
             "a window inside of it");
    }
  }
}

/// An attribute that says another size than the weight would be right for some reader only.
void check_kernel(const ir::Node& node, const ir::Value* weight) {
  const ir::Ints kernel = node.get_ints("kernel_shape", {});
  for (std::size_t axis = 0; axis < kernel.size(); ++axis) {
    const auto size = size_of(weight, axis + 2);
    if (size && *size != kernel[axis]) {
      refuse(node, fmt::format("kernel_shape [{}]", fmt::join(kernel, ", ")),
             fmt::format("{} on spatial axis {}, as the weight has it", *size, axis));
    }
  }
}

void check_rank(const ir::Node& node, const ir::Value* weight) {
  const ir::Value* input = node.input(0);
  if (input == nullptr || !input->type().shape) return;
  const std::size_t rank = input->type().shape->size();
  const std::size_t expected =
      weight != nullptr && weight->type().shape ? weight->type().shape->size()
      : node.has("kernel_shape")                ? node.get_ints("kernel_shape", {}).size() + 2
                                                : rank;
  if (rank != expected || rank < 3) {
    refuse(node, fmt::format("an input of rank {}", rank),
           fmt::format("rank {}", std::max<std::size_t>(expected, 3)));
  }
}

void check_convolution(const ir::Node& node) {
  const ir::Value* weight = node.input(1);
  check_rank(node, weight);
  check_kernel(node, weight);
  const std::int64_t group = node.get_int("group", 1);
  check_divides(node, size_of(weight, 0), "output");
  if (const auto depth = size_of(weight, 1)) {
    check_equal(node, size_of(node.input(0), 1), *depth * group, "input channels");
  }
  check_equal(node, size_of(node.input(2), 0), size_of(weight, 0), "bias values");
  check_window_fits(node, weight);
}

void check_transposed(const ir::Node& node) {
  const ir::Value* weight = node.input(1);
  check_rank(node, weight);
  check_kernel(node, weight);
  check_divides(node, size_of(weight, 0), "input");
  check_equal(node, size_of(node.input(0), 1), size_of(weight, 0), "input channels");
  if (const auto depth = size_of(weight, 1)) {
    check_equal(node, size_of(node.input(2), 0), *depth * node.get_int("group", 1), "bias values");
  }
}

void check_pool(const ir::Node& node) {
  check_rank(node, nullptr);
  check_window_fits(node, nullptr);
}

void check_normalization(const ir::Node& node) {
  for (std::size_t index = 1; index < node.inputs().size(); ++index) {
    check_equal(node, size_of(node.input(index), 0), size_of(node.input(0), 1),
                "values of a channel parameter");
  }
}

constexpr std::array kTypeChecks{
    NodeCheck{"Conv", check_convolution},
    NodeCheck{"ConvInteger", [](const ir::Node& node) { check_rank(node, node.input(1)); }},
    NodeCheck{"ConvTranspose", check_transposed},
    NodeCheck{"MaxPool", check_pool},
    NodeCheck{"AveragePool", check_pool},
    NodeCheck{"LpPool", check_pool},
    NodeCheck{"BatchNormalization", check_normalization},
    NodeCheck{"InstanceNormalization", check_normalization},
};

template <typename Checks>
void run_checks(const ir::Graph& graph, const Checks& checks) {
  for (const ir::Node* node : graph.nodes()) {
    for (const NodeCheck& row : checks) {
      if (node->is(row.op)) row.check(*node);
    }
  }
}

}  // namespace

void validate_nodes(const ir::Graph& graph) {
  const auto opset = graph.opsets.find("");
  const std::int64_t version = opset == graph.opsets.end() ? kDefaultOpset : opset->second;
  for (const ir::Node* node : graph.nodes()) {
    if (const auto violation = schema_violation(*node, version, CheckTypes::No)) {
      refuse(*node, *violation, fmt::format("the form of opset {}", version));
    }
  }
  run_checks(graph, kNodeChecks);
}

void validate_types(const ir::Graph& graph) {
  run_checks(graph, kTypeChecks);
}

}  // namespace espalier::onnx
