#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "espalier/recipe/data_yaml.h"
#include "espalier/report/json.h"
#include "espalier/report/progress.h"
#include "espalier/tensor/tensor.h"
#include "espalier/train/metric.h"

namespace espalier::recipe {

struct EvaluationRequest {
  std::filesystem::path model;  ///< ONNX or checkpoint
  DataSplits data = {};
  /// "espalier" or the name of an engine; with a second one, predictions are compared.
  std::string engine = "espalier";
  std::string compare = {};
  std::vector<train::TopK> metrics = {{.k = 1}, {.k = 5}};
  std::int64_t batch_size = 100;
  std::int64_t samples = 0;  ///< images at most, drawn by `seed`; 0: all
  std::uint64_t seed = 0;
  int threads = 1;
  report::ProgressStyle progress = report::ProgressStyle::Auto;
};

/// Predictions of two runners side by side.
struct Comparison {
  /// Images whose top-1 class differs, or where one has NaN or infinite scores that the other has
  /// not.
  std::int64_t different = 0;
  /// Largest gap, over those images, between the two classes' scores in either runner, relative to
  /// the largest score of the image: below 1e-5 it is a tie.
  double widest_tie = 0;
  /// Largest |a - b| of outputs, relative to the largest |a|; infinite when only one is a number.
  double worst_difference = 0;
};

struct EvaluationResult {
  std::map<std::string, double> metrics;  ///< percent
  std::int64_t images = 0;
  std::int64_t skipped = 0;  ///< images that could not be read and were left out
  std::int64_t labelled = 0;
  std::int64_t not_finite = 0;  ///< images with NaN or infinite scores: their class means nothing
  double seconds = 0;
  std::optional<Comparison> comparison;
};

/// Runs a model over the evaluation split. Throws UserError when model and data do not fit, or when
/// there are no labels and nothing to compare.
[[nodiscard]] EvaluationResult evaluate_model(const EvaluationRequest& request);

/// Names to numbers, as an object.
[[nodiscard]] report::Json metrics_json(const std::map<std::string, double>& metrics);
[[nodiscard]] report::Json to_json(const EvaluationResult& result);

/// Inputs by position to outputs by position.
using Runner = std::function<std::vector<Tensor>(std::span<const Tensor>)>;
/// The output whose classes count: the first. Warns once where there are others.
[[nodiscard]] Tensor judged_output(const std::vector<Tensor>& outputs);
/// A model in our executor ("espalier") or in an engine.
[[nodiscard]] Runner open_runner(const std::filesystem::path& model, const std::string& engine,
                                 int threads);

}  // namespace espalier::recipe
