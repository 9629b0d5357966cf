#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "espalier/deploy/predictions.h"
#include "espalier/passes/insert_training_quantizers.h"
#include "espalier/prune/budget.h"
#include "espalier/quant/planner.h"
#include "espalier/recipe/data_yaml.h"
#include "espalier/recipe/yaml.h"
#include "espalier/train/distillation.h"
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
  double min_simulation_agreement = 0.99;
  double min_value_sqnr_db = 20;  ///< of outputs that hold no classes
  deploy::OutputMeaning outputs = deploy::OutputMeaning::ByShape;
  double min_integer_mac_share = 0.98;
  bool allow_slower = false;
  int latency_rounds = 30;
  std::int64_t samples = 0;  ///< evaluation images at most; 0: all
  std::vector<std::string> engines = {"onnxruntime", "openvino"};
};

/// One term of a loss.
struct LossConfig {
  enum class Kind {
    CrossEntropy,  ///< of the labels
    Divergence,    ///< of the teacher's softened outputs: `temperature`
    SoftLabel,     ///< cross entropy on them: `temperatures`
    Feature,       ///< mean square difference of a value: student[0], teacher[0]
    Flow           ///< of the flow between two values: student[0..1], teacher[0..1]
  };
  Kind kind = Kind::CrossEntropy;
  double weight = 1;
  double smoothing = 0;
  double temperature = 4;
  train::SoftLabelTemperatures temperatures = {};
  std::vector<std::string> student = {};  ///< names of values
  std::vector<std::string> teacher = {};
};

/// Who is learned from; nothing: the model as it enters the stage.
using TeacherConfig = std::optional<ModelConfig>;

/// Strategy `distil`: more terms for some epochs.
struct DistilConfig {
  TeacherConfig teacher = {};
  std::vector<LossConfig> losses = {};
};

/// Strategy `freeze`: parameters and buffers keep their values.
struct FreezeConfig {
  std::vector<std::string> match = {};  ///< globs
};

/// Strategies `freeze_batch_norm` and `freeze_quantizers`: what training observes stays as it is.
struct FreezeObservedConfig {
  enum class What {
    BatchNorm,  ///< normalizes by its running statistics, which stay as they are
    Quantizers  ///< their parameters stay, learned ones without gradient
  };
  What what = What::BatchNorm;
};

/// Strategy `quantize`: float training before its start; from there on the graph holds quantizers
/// that calibration gave their start.
struct TrainQuantizeConfig {
  quant::PlanOptions plan = {};
  passes::TrainingQuantizers quantizers = {};
  bool frozen_batch_norm = false;      ///< from the start on, also behind the end
  bool reestimate_batch_norm = false;  ///< before the model is exported
  VerifyConfig verify = {};
  std::string file = {};  ///< the quantized model after the last epoch of the span
  int opset = 17;
};

/// Strategy `prune`: cuts channels before its first step; what training has gathered follows.
struct TrainPruneConfig {
  prune::BudgetOptions budget = {};  ///< of the model as it enters the stage
  prune::ScoreOptions scores = {};   ///< gradients are filled in where the criterion asks for them
  std::int64_t step = 1;             ///< of `steps` cuts on the way to the budget, from 1
  std::int64_t steps = 1;
  bool check = false;  ///< prove each cut by numbers
};

/// Strategy `export`: writes the model as the last epoch of the span was evaluated.
struct EpochExportConfig {
  std::string file = {};  ///< in the run folder
  int opset = 17;
};

/// What begins and ends between epochs of a training.
struct StrategyConfig {
  train::EpochSpan span = {};
  std::variant<DistilConfig, FreezeConfig, FreezeObservedConfig, TrainQuantizeConfig,
               TrainPruneConfig, EpochExportConfig>
      what = FreezeConfig{};
};

/// Stage `train`: float training.
struct TrainStage {
  train::TrainOptions options;
  std::vector<LossConfig> losses = {{}};
  TeacherConfig teacher = {};  ///< of the terms in `losses` that have one
  std::vector<StrategyConfig> strategies = {};
};

/// Stage `prune`: channels go, and what stays is mended (docs/pruning.md).
struct PruneStage {
  prune::BudgetOptions budget = {};  ///< not looked at with `plan`
  prune::ScoreOptions scores = {};   ///< gradients are filled in where the criterion asks for them
  std::filesystem::path plan = {};   ///< apply this one instead of choosing
  std::filesystem::path sensitivities = {};       ///< a sensitivity file (sensitivity_store.h)
  std::optional<double> max_loss = std::nullopt;  ///< points, in place of a share that stays
  std::int64_t iterations = 1;  ///< cuts on the way to the budget, each mended and trained
  bool mask = false;            ///< keep all sizes and read removed channels as zero
  std::optional<bool> reestimate_norms = std::nullopt;  ///< nothing: where there are images
  /// Nothing: where there are images and no training follows, in the stage or behind it.
  std::optional<bool> reconstruct = std::nullopt;
  bool trained_later = false;  ///< a later stage of the recipe trains the model
  std::optional<TrainStage> fine_tune = std::nullopt;  ///< teacher `self`: the model before the cut
  bool check = false;                                  ///< prove the cut by numbers
  /// Height and width that costs, proof and engines see where the model leaves them open and there
  /// are no images to tell.
  std::optional<std::int64_t> image_size = std::nullopt;
  VerifyConfig verify = {};  ///< of it: engines, latency_rounds, samples
};

/// Mode `qat` of the stage `quantize`: the plan is the start of a training.
struct QatConfig {
  TrainStage train = {};
  passes::TrainingQuantizers quantizers = {};
  /// Running statistics are computed anew when training has ended, with the trained weights.
  bool reestimate_batch_norm = false;
};

/// Stage `quantize`: after training (`ptq`), or with training (`qat`).
struct QuantizeStage {
  quant::PlanOptions plan = {};
  std::optional<QatConfig> qat = std::nullopt;
  bool bias_correction = true;  ///< where it lowers the measured error
  bool rounding = true;  ///< round each weight up or down by the error of the layer's outputs
  VerifyConfig verify = {};
};

/// Stage `export`: what ships as model.onnx when no stage quantizes.
struct ExportStage {
  int opset = 17;
};

using Stage = std::variant<TrainStage, PruneStage, QuantizeStage, ExportStage>;

/// A whole run, typed; every stage is resumable (docs/recipes.md).
struct Recipe {
  std::uint64_t seed = 0;
  ModelConfig model = {};
  DataSplits data = {};
  CalibrationConfig calibration = {};
  std::vector<train::TopK> metrics = {{.k = 1}};
  std::vector<Stage> stages = {};
  std::filesystem::path output = "runs/recipe";
  std::filesystem::path folder = ".";  ///< where relative paths are tried, second
  std::string resolved = {};  ///< the document after overrides, for config.yaml and checkpoints
};

/// The strategy of a stage that puts quantizers into its graph; null: there is none.
[[nodiscard]] const TrainQuantizeConfig* quantize_strategy(const TrainStage& stage);

/// True for a stage that cuts channels in the middle of its training.
[[nodiscard]] bool prunes(const TrainStage& stage);

/// The opset that the recipe's export stage asks for, wherever it stands.
[[nodiscard]] int export_opset(const Recipe& recipe);

/// "train", "prune", "quantize", "export".
[[nodiscard]] std::string stage_name(const Stage& stage);

/// Reads a recipe; `folder` is where its relative paths are tried after the working directory.
/// Throws UserError with line for unknown keys (nearest known one named), wrong types and values
/// out of range; UnsupportedError for stages that do not exist yet.
[[nodiscard]] Recipe parse_recipe(const YamlValue& document, const std::filesystem::path& folder);
[[nodiscard]] Recipe load_recipe(const std::filesystem::path& file,
                                 const std::vector<std::string>& overrides);

}  // namespace espalier::recipe
