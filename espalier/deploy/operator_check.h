#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/ir/graph.h"
#include "espalier/tensor/tensor.h"

namespace espalier::deploy {

/// One quantized operator cut out of a QDQ file: DequantizeLinear -> operator [-> activation] ->
/// QuantizeLinear, codes in, codes out.
struct OperatorModel {
  std::string name;                 ///< node of the main operator
  std::string op;                   ///< its operator
  std::vector<std::string> inputs;  ///< values of the file that hold the input codes
  std::string output;               ///< value of the file that holds the output codes
  ir::Graph graph;
};

/// Cuts a QDQ graph into its quantized operators. Parts without quantized inputs and output (float
/// nodes, pure layout changes of codes) are left out.
[[nodiscard]] std::vector<OperatorModel> cut_operators(const ir::Graph& quantized);

struct OperatorCheckRequest {
  std::string_view quantized_model;  ///< bytes of the QDQ file
  std::vector<Tensor> images;        ///< inputs of the file, by position
  std::vector<std::string> engines = {"onnxruntime", "openvino"};
  int threads = 1;
  std::function<Engine&(std::string_view)> open = open_engine;
};

/// How far one operator of one engine is from its simulation on the same input codes.
struct OperatorDifference {
  std::string engine;
  std::string name;
  std::string op;
  std::int64_t elements = 0;
  std::int64_t different = 0;   ///< elements whose codes differ
  std::int64_t worst_step = 0;  ///< largest difference of codes
  std::string failure = {};     ///< why it could not be compared; empty: it was

  /// Tolerance of the simulation: one quantization step.
  [[nodiscard]] bool passed() const { return failure.empty() && worst_step <= 1; }
};

/// Runs every operator in every engine and in our executor on codes that real images give, and
/// compares output codes. Ordered by engine, then worst first.
/// Throws UserError when the file cannot be read; a failing engine is a value.
[[nodiscard]] std::vector<OperatorDifference> check_operators(const OperatorCheckRequest& request);

}  // namespace espalier::deploy
