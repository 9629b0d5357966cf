#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "espalier/analysis/memory.h"
#include "espalier/ir/graph.h"

namespace espalier::analysis {

/// A graph input or output as a user reads it.
struct PortSummary {
  std::string name;
  std::string type;  ///< "float32 [N, 3, 32, 32]"
};

/// Nodes of one operator.
struct OpSummary {
  std::string op;  ///< with domain where it is not ONNX's: "espalier.FakeQuantize"
  std::int64_t count = 0;
  std::int64_t macs = 0;
  std::int64_t parameters = 0;
};

/// What `inspect` shows of a model.
struct Summary {
  std::string name;
  std::string producer;
  std::map<std::string, std::int64_t> opsets;
  std::vector<PortSummary> inputs;
  std::vector<PortSummary> outputs;
  std::vector<OpSummary> ops;  ///< most frequent first, then by name
  std::int64_t nodes = 0;
  std::int64_t macs = 0;
  std::int64_t uncounted_nodes = 0;
  std::int64_t parameters = 0;
  std::int64_t initializer_bytes = 0;
  MemoryEstimate memory;
  /// Nodes whose operator Espalier does not know, as Node::label writes them.
  std::vector<std::string> opaque_nodes;
};

[[nodiscard]] Summary summarize(const ir::Graph& graph);

/// The type as text: "float32 [N, 3, 32, 32]"; "?" for an unknown shape.
[[nodiscard]] std::string describe_type(const ir::TypeInfo& type);

}  // namespace espalier::analysis
