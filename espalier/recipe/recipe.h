#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "espalier/quant/planner.h"
#include "espalier/recipe/data_yaml.h"
#include "espalier/recipe/yaml.h"
#include "espalier/train/loop.h"
#include "espalier/zoo/table.h"

namespace espalier::recipe {

/// A family of the zoo with fresh weights.
struct ZooModel {
  std::string name;
  zoo::ZooOptions options = {};
};

/// An ONNX file or a checkpoint.
struct ModelFile {
  std::filesystem::path path;
};

struct ModelConfig {
  std::variant<ZooModel, ModelFile> source = ZooModel{};
  /// Initializers of the same names are taken from this file (ONNX, checkpoint or safetensors).
  std::filesystem::path weights = {};
};

/// Images that calibration sees: drawn from the training split, with the transforms of the
/// evaluation split where the training ones are random.
struct CalibrationConfig {
  std::size_t samples = 512;
  std::uint64_t seed = 0;
  std::size_t micro_batch = 8;
};

/// Bounds of a quantized model and how it is verified.
struct VerifyConfig {
  double max_drop = 0.5;
  double min_agreement = 0.95;
  double min_integer_mac_share = 0.98;
  bool allow_slower = false;
  int latency_rounds = 30;
  std::int64_t samples = 0;  ///< evaluation images at most; 0: all
  std::vector<std::string> engines = {"onnxruntime", "openvino"};
};

/// Stage `train`: float training.
struct TrainStage {
  train::TrainOptions options;
  double smoothing = 0;
};

/// Stage `quantize`, mode `ptq`.
struct QuantizeStage {
  quant::PlanOptions plan = {};
  bool bias_correction = true;  ///< where it lowers the measured error
  bool rounding = true;  ///< round each weight up or down by the error of the layer's outputs
  VerifyConfig verify = {};
};

/// Stage `export`: what ships as model.onnx when no stage quantizes.
struct ExportStage {
  int opset = 17;
};

using Stage = std::variant<TrainStage, QuantizeStage, ExportStage>;

/// A whole run, typed; every stage is resumable (docs/recipes.md).
struct Recipe {
  std::uint64_t seed = 0;
  ModelConfig model = {};
  DataSplits data = {};
  CalibrationConfig calibration = {};
  std::vector<train::TopK> metrics = {{.k = 1}};
  std::vector<Stage> stages = {};
  std::filesystem::path output = "runs/recipe";
  std::string resolved = {};  ///< the document after overrides, for config.yaml and checkpoints
};

/// "train", "quantize", "export".
[[nodiscard]] std::string stage_name(const Stage& stage);

/// Reads a recipe; `folder` is where its relative paths are tried after the working directory.
/// Throws UserError with line for unknown keys (nearest known one named), wrong types and values
/// out of range; UnsupportedError for stages that do not exist yet.
[[nodiscard]] Recipe parse_recipe(const YamlValue& document, const std::filesystem::path& folder);
[[nodiscard]] Recipe load_recipe(const std::filesystem::path& file,
                                 const std::vector<std::string>& overrides);

}  // namespace espalier::recipe
