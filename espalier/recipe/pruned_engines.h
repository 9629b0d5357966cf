#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/ir/graph.h"
#include "espalier/report/json.h"

namespace espalier::recipe {

struct PrunedEnginesRequest {
  const ir::Graph& pruned;
  std::string_view original_model;  ///< ONNX bytes before the cut
  std::string_view pruned_model;    ///< ONNX bytes after it
  std::vector<std::string> engines = {};
  tensor::OpenSizes unknown_size = {};  ///< of inputs, in place of unknown height and width
  int latency_rounds = 30;              ///< 0: no latency
  int threads = 1;
  std::uint64_t seed = 0;
  /// Largest difference of outputs from our executor's, relative to the largest output.
  double limit = 1e-3;
  /// How engines are found; tests put their own.
  std::function<deploy::Engine&(std::string_view)> open = deploy::open_engine;
};

/// Whether the pruned file runs in the engines as our executor computes it, on seeded random
/// inputs, and how long both files take there: `[{name, version, passed, failure, difference,
/// before_ms, after_ms, speed, speed_low, speed_high}]`, times at batch 1 interleaved. What goes
/// wrong in an engine is a failure in its row; only Interrupted and bugs of ours are thrown.
[[nodiscard]] report::Json judge_in_engines(const PrunedEnginesRequest& request);

}  // namespace espalier::recipe
