#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::prune_test {

/// A graph in ONNX's text syntax with inferred types. Inputs whose names do not start with "x"
/// become initializers of random numbers.
[[nodiscard]] ir::Graph graph_of(std::string_view text);

/// The same; every node is named after its first output, so that groups have names to test.
[[nodiscard]] ir::Graph named_graph_of(std::string_view text);

/// Two convolutions, one behind the other, and a classifier: groups "c1" (8 channels), "c2" (6) and
/// "y" (5, the graph's output, fixed). One sample takes 13824 + 3072 + 30 multiply-accumulates.
[[nodiscard]] ir::Graph chain();

/// Which positions hang together: axes (value name, axis) one behind another, positions as numbers
/// that are equal where they can only be removed together: "0 1 2 | 0 0 1".
[[nodiscard]] std::string ties(const ir::Graph& graph,
                               const std::vector<std::pair<std::string, std::size_t>>& axes);

/// Why the first position of an axis must stay, as "place: reason" lines, apart from inputs and
/// outputs of the graph; "" when nothing else fixes it.
[[nodiscard]] std::string vetoes(const ir::Graph& graph, const std::string& value,
                                 std::size_t axis);

}  // namespace espalier::prune_test
