#pragma once

#include <cstdint>
#include <string>

#include "espalier/ir/graph.h"

namespace espalier::analysis {

struct MemoryEstimate {
  /// Largest sum of activations alive at once when nodes run in order and values are freed after
  /// their last use; inputs and outputs are counted while they are alive.
  std::int64_t peak_bytes = 0;
  /// Node at which the peak is reached.
  std::string peak_node;
  /// All activations together, as a training step keeps them.
  std::int64_t total_bytes = 0;
  /// Bytes of all initializers.
  std::int64_t constant_bytes = 0;
  /// Values of unknown size, which are left out.
  std::int64_t unknown_values = 0;
};

/// Estimates the memory of one run by liveness. Dimension 0 counts as `batch` where it is unknown.
[[nodiscard]] MemoryEstimate estimate_memory(const ir::Graph& graph, std::int64_t batch = 1);

/// Bytes of a value, or -1 when a size other than the batch, or the type, is unknown.
[[nodiscard]] std::int64_t value_bytes(const ir::Value& value, std::int64_t batch = 1);

}  // namespace espalier::analysis
