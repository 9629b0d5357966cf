#pragma once

#include <map>
#include <string>
#include <vector>

#include "espalier/deploy/engine.h"

namespace ov {
class Model;  // OpenVINO's headers stay in sources
}

namespace espalier::deploy {

/// The layers of a runtime model as OpenVINO's CPU plugin gives it. A layer is integer when its
/// primitive says so (suffix _I8 or _U8). Constants are left out. `output_nodes`: node that makes
/// each output of the file; the plugin names such nodes after the output.
[[nodiscard]] std::vector<EngineLayer> openvino_layers(
    const ov::Model& runtime, const std::map<std::string, std::string>& output_nodes);

}  // namespace espalier::deploy
