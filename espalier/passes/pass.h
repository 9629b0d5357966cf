#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::passes {

/// A rewrite of a graph. Each lives in a file of its own whose header gives before, after,
/// conditions and formula.
struct Pass {
  std::string name;
  /// Applies the rewrite everywhere it matches; returns the number of changes.
  std::function<std::size_t(ir::Graph&)> apply;
  bool to_fixed_point = false;  ///< repeat until nothing changes (at most 100 rounds)
};

/// What one pass did.
struct PassRecord {
  std::string name;
  std::size_t changes = 0;
  double seconds = 0;
};

struct RunOptions {
  std::vector<std::string> disabled =
      {};              ///< names of passes to leave out; unknown ones: UserError
  bool verify = true;  ///< run ir::verify after every pass that changed something
  /// Called after each pass that changed something, for dumps.
  std::function<void(std::string_view pass, const ir::Graph&)> after = {};
};

/// Runs the passes in order. Throws InternalError naming the pass that broke the graph.
std::vector<PassRecord> run(ir::Graph& graph, const std::vector<Pass>& passes,
                            const RunOptions& options = {});

}  // namespace espalier::passes
