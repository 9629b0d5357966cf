#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/passes/pass.h"
#include "tests/kit/tensors.h"

namespace espalier::passes_test {

/// A graph in ONNX's text syntax (the part behind the header). Inputs whose names do not start with
/// "x" become initializers of random numbers; "variance" gets positive ones.
[[nodiscard]] ir::Graph graph_of(std::string_view text, std::uint64_t seed = 1);

/// Runs one pass with the verifier on; the number of changes.
std::size_t apply(const passes::Pass& pass, ir::Graph& graph);

struct RunSettings {
  std::int64_t unknown_size = 2;  ///< takes the place of unknown dimensions of inputs
  std::uint64_t seed = 7;
  tensor::DType dtype = tensor::DType::Float64;
};
/// Outputs on random inputs, by name.
[[nodiscard]] std::map<std::string, Tensor> run_graph(const ir::Graph& graph,
                                                      const RunSettings& settings = {});

/// Outputs by position in float32.
[[nodiscard]] std::vector<Tensor> run_on(const ir::Graph& graph, const std::vector<Tensor>& inputs);

/// Expects the same output names with close values on the same random inputs.
void expect_same_outputs(const ir::Graph& actual, const ir::Graph& expected,
                         const RunSettings& settings = {},
                         const kit::Tolerance& tolerance = {.absolute = 1e-5, .relative = 1e-5});

/// Applies the pass to a graph that must not change: no change counted, same text.
void expect_unchanged(const passes::Pass& pass, std::string_view text);

/// Operators in graph order: "Conv Relu".
[[nodiscard]] std::string ops_of(const ir::Graph& graph);

}  // namespace espalier::passes_test
