#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::deploy {

struct EngineOptions {
  int threads = 1;
  /// Compute floating point parts in float32 even where the engine would use bf16 (OpenVINO does).
  bool force_float32 = true;
  /// Ask for the optimized graph and per-layer times (slower to load).
  bool inspect = false;
};

/// One layer as the engine really runs it.
struct EngineLayer {
  std::string name;
  std::string type;      ///< the engine's own word: "QLinearConv", "Convolution", ...
  bool integer = false;  ///< computes in integers
  std::vector<std::string> covers =
      {};                   ///< nodes of the exported file that it stands for, where known
  double milliseconds = 0;  ///< typical time when the engine tells, else 0
};

/// A loaded model in an inference engine. Not thread-safe.
class EngineModel {
 public:
  virtual ~EngineModel() = default;
  /// float32 or integer tensors by position; the outputs by position. Throws UserError with the
  /// engine's message when the shapes do not fit.
  virtual std::vector<Tensor> run(std::span<const Tensor> inputs) = 0;
  /// The optimized graph read back (EngineOptions::inspect).
  [[nodiscard]] virtual std::vector<EngineLayer> layers() const = 0;
};

/// An inference engine behind a module that is opened on demand.
class Engine {
 public:
  virtual ~Engine() = default;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual std::string version() const = 0;
  /// `model` holds the bytes of an ONNX file. Throws UserError with the engine's message.
  [[nodiscard]] virtual std::unique_ptr<EngineModel> load(std::string_view model,
                                                          const EngineOptions& options) = 0;
};

/// Names that open_engine knows: "onnxruntime", "openvino".
[[nodiscard]] std::vector<std::string> engine_names();
/// Throws UserError for a name that is none of them; opens nothing.
void check_engine_names(const std::vector<std::string>& names);

/// Opens libespalier_<name>.so beside the program (or beside the test). Throws UserError for an
/// unknown name and UnsupportedError, saying what is missing, when the module cannot be opened.
/// The engine lives as long as the process.
[[nodiscard]] Engine& open_engine(std::string_view name);

/// Engine::load, whose errors name the model as the user does.
[[nodiscard]] std::unique_ptr<EngineModel> load_named(Engine& engine, const std::string& name,
                                                      std::string_view model,
                                                      const EngineOptions& options);

}  // namespace espalier::deploy
