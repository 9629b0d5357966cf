#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/tensor/tensor.h"

namespace espalier::deploy {

struct OperatorCheckRequest {
  std::string_view quantized_model;  ///< bytes of the QDQ file
  std::vector<Tensor> images = {};   ///< inputs of the file, by position
  std::vector<std::string> engines = {"onnxruntime", "openvino"};
  int threads = 1;  ///< operators that are checked at once, each on one thread
  std::function<Engine&(std::string_view)> open = open_engine;  ///< called from several threads
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

/// Runs every operator of the file (cut_operators) in every engine and in our executor on the codes
/// that the images give, and compares the output codes. Ordered by engine, worst first.
/// Throws UserError when the file cannot be read or run by the executor; a failing engine is a
/// value.
[[nodiscard]] std::vector<OperatorDifference> check_operators(const OperatorCheckRequest& request);

}  // namespace espalier::deploy
