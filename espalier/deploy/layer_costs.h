#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "espalier/deploy/engine.h"

namespace espalier::deploy {

/// A layer that costs more time in the INT8 file than in the float file.
struct LayerCost {
  std::string name;  ///< node of the exported file, or the engine's layer where it covers none
  std::string type;  ///< the engine's word for the INT8 layer
  std::optional<double> float_ms;  ///< nothing where no float layer covers one of its nodes
  double quantized_ms = 0;
};

/// INT8 layers that take longer than the float layers that share a covered node with them (whole
/// layers where none does: conversions and reorderings), by lost time, at most `limit`.
[[nodiscard]] std::vector<LayerCost> slower_layers(std::span<const EngineLayer> float_layers,
                                                   std::span<const EngineLayer> quantized_layers,
                                                   std::size_t limit = 10);

}  // namespace espalier::deploy
