#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "espalier/ir/graph.h"

namespace espalier::onnx {

/// Rewrites one node when a conversion crosses an opset in which its operator changed its form.
struct Adapter {
  std::string_view op;
  /// Upgrades turn the form of `opset - 1` into that of `opset`; downgrades the other way round.
  std::int64_t opset = 0;
  void (*apply)(ir::Graph& graph, ir::Node& node) = nullptr;
};

/// All form changes from opset 7 to 23 (upgrades) and back to 13 (downgrades) of the operators that
/// Espalier knows. A change that only adds types, or attributes and inputs whose default means what
/// was meant before, needs none.
[[nodiscard]] std::span<const Adapter> upgrades();
/// The same from opset 1 to 7, as far as CNNs need them.
[[nodiscard]] std::span<const Adapter> early_upgrades();
[[nodiscard]] std::span<const Adapter> downgrades();

/// The node cannot be expressed below `lowest`.
[[noreturn]] void refuse_below(const ir::Node& node, std::int64_t lowest, std::string reason);
/// The node cannot be brought to a newer form.
[[noreturn]] void refuse_upgrade(const ir::Node& node, std::string reason);

/// @name Pieces that several adapters use
/// @{
/// A new initializer named after the node.
ir::Value& add_constant(ir::Graph& graph, const ir::Node& node, std::string_view what,
                        Tensor constant);
/// int64 vector.
[[nodiscard]] Tensor int_vector(const ir::Ints& values);
/// One value of the element type of `like` (float32 when that is unknown).
[[nodiscard]] Tensor scalar_like(const ir::Value* like, double value);
/// An integer initializer's values; nothing when the input is computed or left out.
[[nodiscard]] std::optional<ir::Ints> constant_ints(const ir::Value* value);
/// Moves an attribute of integers to an input.
void ints_to_input(ir::Graph& graph, ir::Node& node, std::string_view attribute, std::size_t index);
/// Takes an input away (to null, or off the end), and its initializer when nobody else reads it.
void drop_input(ir::Graph& graph, ir::Node& node, std::size_t index);
/// Rank of a value, when known.
[[nodiscard]] std::optional<std::int64_t> rank_of(const ir::Value* value);
/// Known size of an axis (negative counts from the end).
[[nodiscard]] std::optional<std::int64_t> size_of(const ir::Value* value, std::int64_t axis);
/// Makes `node` another operator of these inputs, without attributes; outputs and name stay.
void become(ir::Graph& graph, ir::Node& node, std::string op,
            const std::vector<ir::Value*>& inputs);
/// Inserts a node before `place`, named `<place>_<suffix>`, and gives its output.
ir::Value& insert_op(ir::Graph& graph, const ir::Node& place, std::string_view suffix,
                     std::string op, std::vector<ir::Value*> inputs,
                     ir::Attributes attributes = {});
/// @}

}  // namespace espalier::onnx
