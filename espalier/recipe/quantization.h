#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "espalier/deploy/operator_check.h"
#include "espalier/deploy/verify.h"
#include "espalier/ir/graph.h"
#include "espalier/passes/pass.h"
#include "espalier/quant/plan.h"
#include "espalier/recipe/recipe.h"
#include "espalier/report/progress.h"

namespace espalier::recipe {

/// Trains a graph with quantizers in it and returns it with the best weights (mode `qat`).
using TrainQuantized = std::function<ir::Graph(const ir::Graph& graph)>;

struct QuantizationRequest {
  const ir::Graph& graph;  ///< the float model, as loaded
  const DataSplits& data;
  CalibrationConfig calibration;
  QuantizeStage stage;
  int opset = 17;
  int threads = 1;
  report::ProgressStyle progress = report::ProgressStyle::Auto;
  TrainQuantized train = {};  ///< needed where the stage's mode is `qat`
};

/// Quality of one quantized value or weight, for the per-layer table.
struct LayerQuality {
  std::string name;  ///< node
  std::string op;
  std::string input;   ///< quantized activation it reads first, empty: none
  std::string weight;  ///< weight initializer, empty: none
  std::int64_t macs = 0;
  /// Float output against simulated output, all errors before included; nothing: they are equal.
  std::optional<double> output_sqnr_db;
};

struct QuantizationResult {
  std::string float_model;      ///< ONNX bytes of the float model
  std::string quantized_model;  ///< ONNX bytes, QDQ
  ir::Graph simulated;          ///< with FakeQuantize nodes
  quant::QuantPlan plan;
  deploy::VerifyReport verification;
  std::vector<deploy::OperatorDifference> operators;
  std::vector<LayerQuality> layers;
  std::vector<passes::PassRecord> passes;
  std::vector<std::string> notes;         ///< decisions worth reading, e.g. on bias correction
  std::map<std::string, double> seconds;  ///< prepare, calibrate, plan, export, verify
  std::int64_t judging_images = 0;
  std::int64_t left_out = 0;  ///< samples beside them that the data set could not use
};

/// A float graph and the plan that quantizes it as it was trained.
struct TrainedModel {
  ir::Graph graph;
  quant::QuantPlan plan;
};

/// @name Parts of the way of a training that has quantizers from some step on
/// @{
/// The plan that it starts from: prepare, calibrate, plan. The same for any number of threads.
[[nodiscard]] quant::QuantPlan calibrated_plan(const QuantizationRequest& request);
/// The graph that is trained.
[[nodiscard]] ir::Graph training_graph(const ir::Graph& graph, const quant::QuantPlan& plan,
                                       const passes::TrainingQuantizers& quantizers);
/// Computes the running statistics of its BatchNormalization anew, with what was trained, from the
/// calibration images as training sees them (training_source), in its batches. Quantizers stay as
/// they are.
void reestimate_batch_norm(ir::Graph& trained, const DataSplits& data,
                           const CalibrationConfig& calibration);
/// What became of it; `before` is the plan that it started from.
[[nodiscard]] TrainedModel take_trained(const ir::Graph& trained, const quant::QuantPlan& before);
/// The QDQ file of take_trained.
[[nodiscard]] std::string encode_trained(const ir::Graph& trained, const quant::QuantPlan& before,
                                         int opset);
/// Export and proof; `request.graph` is the float model to compare with.
[[nodiscard]] QuantizationResult prove_trained(const QuantizationRequest& request,
                                               TrainedModel model);
/// @}

/// What can be said before the first training of a run that quantizes: throws UserError for
/// patterns that match nothing in the model, UnsupportedError where nothing would be quantized.
void check_plan_options(const ir::Graph& graph, const quant::PlanOptions& options,
                        const std::vector<passes::EstimatorRule>& rules);

/// The whole way: prepare, calibrate, plan, refine or train, simulate, export, verify.
/// The result is returned whether or not verification passed. Throws UserError and UnsupportedError
/// for models and data that do not fit.
[[nodiscard]] QuantizationResult quantize_model(const QuantizationRequest& request);

/// A simulated graph in ONNX's own operators, as a file of an operator set.
[[nodiscard]] std::string encode_qdq(ir::Graph simulated, const quant::QuantPlan& plan, int opset);

/// Applies a stored plan to a model instead of calibrating (the model must be the plan's).
[[nodiscard]] std::string apply_plan(const ir::Graph& graph, const quant::QuantPlan& plan,
                                     int opset);

}  // namespace espalier::recipe
