#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/deploy/latency.h"
#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// One model in one engine.
struct BenchSubject {
  std::string model;       ///< label in the table
  std::string_view bytes;  ///< ONNX file
  std::string engine;
};

struct BenchOptions {
  LatencyOptions latency = {};
  int threads = 1;
  std::int64_t batch = 1;
  /// Size of unknown dimensions other than the first.
  tensor::OpenSizes unknown_size = {};
  std::uint64_t seed = 1;
  std::function<Engine&(std::string_view)> open = open_engine;
};

struct BenchRow {
  std::string model;
  std::string engine;
  std::string version;
  std::vector<std::vector<std::int64_t>> inputs;  ///< sizes of what was run
  LatencySummary latency;
  LatencyRatio against_first;  ///< time of the first subject / time of this one
};

/// Loads all subjects, then times them interleaved in this process on the same seeded random
/// inputs. Float parts compute in float32. Throws what the engines throw, naming the subject.
[[nodiscard]] std::vector<BenchRow> bench(const std::vector<BenchSubject>& subjects,
                                          const BenchOptions& options = {});

/// Seeded normal (floating) or small non-negative (integer) tensors for every input of the graph;
/// the first dimension becomes `batch` where it is unknown, others `unknown_size`.
[[nodiscard]] std::vector<Tensor> random_inputs(const ir::Graph& graph, std::int64_t batch,
                                                tensor::OpenSizes unknown_size, std::uint64_t seed);

}  // namespace espalier::deploy
