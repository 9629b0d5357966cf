#pragma once

#include <span>
#include <string>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// Where an engine's arithmetic on one QDQ file departs from the file's plain meaning
/// (docs/verification.md gives the measurements). Rounding of the same formula in another order is
/// no departure: it moves codes by one step at most.
struct ArithmeticProfile {
  std::string engine = {};
  /// QuantizeLinear nodes whose rounding the engine leaves out, because it computes what is before
  /// and after them in one layer: a convolution and the addition that follows, in OpenVINO.
  std::vector<std::string> skipped_quantizers = {};

  /// The engine follows the file.
  [[nodiscard]] bool plain() const { return skipped_quantizers.empty(); }
};

/// Reads the profile off the engine's own optimized graph. Only layers that multiply and add count:
/// other fused layers were measured to round where the file does.
[[nodiscard]] ArithmeticProfile read_profile(const std::string& engine, const ir::Graph& exported,
                                             std::span<const EngineLayer> layers);

/// The QDQ graph as that engine computes it: the skipped quantizers and their DequantizeLinear
/// nodes are gone. Compiled by exec, it simulates the engine.
/// Throws UserError for a quantizer that the graph does not have.
[[nodiscard]] ir::Graph apply_profile(const ir::Graph& exported, const ArithmeticProfile& profile);

}  // namespace espalier::deploy
