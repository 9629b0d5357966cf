#pragma once

#include <string_view>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// The layers of ONNX Runtime's optimized graph, with the nodes of the exported graph that each
/// stands for and, from the text of a profile ("" for none), their mean times.
[[nodiscard]] std::vector<EngineLayer> onnxruntime_layers(const ir::Graph& exported,
                                                          const ir::Graph& optimized,
                                                          std::string_view profile);

}  // namespace espalier::deploy
