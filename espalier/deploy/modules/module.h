#pragma once

#include <functional>
#include <string_view>

#include <torch/version.h>

#include "espalier/deploy/engine.h"
#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// What the program lends to a module, so that a module needs no ONNX reader of its own.
struct ModuleHost {
  /// Bytes of an ONNX file (also an engine's optimized one) to a graph.
  std::function<ir::Graph(std::string_view bytes)> decode;
};

/// Program and module must agree on this text: they exchange C++ objects. The number grows with
/// every change of what they exchange: the classes of engine.h and the types of this file.
inline constexpr const char* kModuleAbi =
    "espalier engine 1, libtorch " TORCH_VERSION ", compiler " __VERSION__;

/// Symbols of a module: `espalier_engine_abi` gives kModuleAbi as the module was built with;
/// `espalier_create_engine` makes its engine, which the caller owns.
using ModuleAbi = const char* (*)();
using CreateEngine = Engine* (*)(const ModuleHost& host);

}  // namespace espalier::deploy
