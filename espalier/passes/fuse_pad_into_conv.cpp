#include "espalier/passes/fuse_pad_into_conv.h"

#include <algorithm>
#include <optional>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

/// Pads of every dimension, begins then ends, for an input of that rank; nothing unless constant.
std::optional<ir::Ints> full_pads(const ir::Node& pad, std::size_t rank) {
  const auto given = constant_ints(pad.input(1));
  if (!given) return std::nullopt;
  if (pad.input(3) == nullptr) {
    return given->size() == 2 * rank ? given : std::nullopt;
  }
  const auto axes = constant_ints(pad.input(3));
  if (!axes || given->size() != 2 * axes->size()) return std::nullopt;
  ir::Ints pads(2 * rank, 0);
  for (std::size_t index = 0; index < axes->size(); ++index) {
    const std::int64_t axis =
        (*axes)[index] < 0 ? (*axes)[index] + static_cast<std::int64_t>(rank) : (*axes)[index];
    if (axis < 0 || axis >= static_cast<std::int64_t>(rank)) return std::nullopt;
    pads[static_cast<std::size_t>(axis)] = (*given)[index];
    pads[static_cast<std::size_t>(axis) + rank] = (*given)[index + axes->size()];
  }
  return pads;
}

/// Begins then ends of the spatial dimensions of a zero Pad that pads nothing else.
std::optional<ir::Ints> spatial_pads(const ir::Node& pad, std::size_t rank) {
  if (!pad.is("Pad") || pad.input(0) == nullptr) return std::nullopt;
  if (pad.get_string("mode", "constant") != "constant") return std::nullopt;
  if (pad.input(2) != nullptr && constant_number(pad.input(2)) != 0.0) return std::nullopt;
  const auto pads = full_pads(pad, rank);
  if (!pads) return std::nullopt;
  if (std::ranges::any_of(*pads, [](std::int64_t size) { return size < 0; })) return std::nullopt;
  ir::Ints spatial;
  for (std::size_t index = 0; index < pads->size(); ++index) {
    if (index % rank >= 2) {
      spatial.push_back((*pads)[index]);
    } else if ((*pads)[index] != 0) {
      return std::nullopt;  // pads the batch or the channels
    }
  }
  return spatial;
}

/// Rank of the activation of a Conv or AveragePool, or 0 when the node takes no padding.
std::size_t padded_rank(const ir::Node& node) {
  const std::string auto_pad = node.get_string("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && auto_pad != "VALID") return 0;
  if (node.is("Conv")) {
    const auto& shape = node.input(1) == nullptr ? std::nullopt : node.input(1)->type().shape;
    return shape ? shape->size() : 0;
  }
  if (!node.is("AveragePool") || node.get_int("ceil_mode", 0) != 0) return 0;
  const ir::Ints own = node.get_ints("pads", {});
  const bool pads = std::ranges::any_of(own, [](std::int64_t size) { return size != 0; });
  if (pads && node.get_int("count_include_pad", 0) == 0) return 0;
  return node.get_ints("kernel_shape", {}).size() + 2;
}

bool fuse(ir::Graph& graph, ir::Node& node) {
  const std::size_t rank = padded_rank(node);
  const ir::Node* pad = node.input(0) == nullptr ? nullptr : node.input(0)->producer();
  if (rank < 3 || pad == nullptr) return false;
  const auto added = spatial_pads(*pad, rank);
  if (!added) return false;
  ir::Ints pads = node.get_ints("pads", {});
  pads.resize(added->size(), 0);
  for (std::size_t index = 0; index < pads.size(); ++index) {
    if (__builtin_add_overflow(pads[index], (*added)[index], &pads[index])) return false;
  }
  node.set("pads", pads);
  node.remove("auto_pad");
  if (node.is("AveragePool")) node.set("count_include_pad", std::int64_t{1});
  graph.set_input(node, 0, pad->input(0));
  return true;
}

std::size_t fuse_pad_into_conv_in(ir::Graph& graph) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (fuse(graph, *node)) ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass fuse_pad_into_conv() {
  return {.name = "fuse_pad_into_conv", .apply = fuse_pad_into_conv_in};
}

}  // namespace espalier::passes
