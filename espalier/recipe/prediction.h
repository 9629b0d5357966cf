#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "espalier/recipe/folder_data.h"
#include "espalier/report/json.h"
#include "espalier/report/progress.h"

namespace espalier::recipe {

struct PredictionRequest {
  std::filesystem::path model;  ///< ONNX file, checkpoint, or run folder (its model.onnx)
  /// Image files and folders of images; empty: the evaluation images of `data`.
  std::vector<std::filesystem::path> images = {};
  /// Where transforms come from, and images where none are given.
  std::optional<DataSplits> data = std::nullopt;
  FolderOptions folder = {};  ///< transforms of `images` without `data`; fitted to the model
  std::filesystem::path class_names = {};  ///< one name a line, or "3 name"
  int top = 5;
  std::string engine = "espalier";
  std::int64_t batch_size = 32;
  std::int64_t samples = 0;  ///< images at most, the first ones; 0: all
  int threads = 1;
  report::ProgressStyle progress = report::ProgressStyle::Auto;
};

/// One of the most likely classes of an image.
struct RankedClass {
  std::int64_t index = 0;
  double score = 0;       ///< probability
  std::string name = {};  ///< empty: not known
};

struct Prediction {
  std::string image;                  ///< path of the file, or what the data set calls it
  std::int64_t label = -1;            ///< of the data set; -1: none
  std::vector<RankedClass> top = {};  ///< falling score; of equal ones the lower class first
};

/// Runs a classifier over images. Scores are the softmax of the model's output, or the output
/// itself where every row of it is a distribution already. Throws UserError for images and models
/// that do not fit, UnsupportedError for outputs that are no scores.
[[nodiscard]] std::vector<Prediction> predict_images(const PredictionRequest& request);

/// Names of classes by index. Throws UserError naming the line of a bad entry.
[[nodiscard]] std::vector<std::string> read_class_names(const std::filesystem::path& path);

[[nodiscard]] report::Json to_json(const std::vector<Prediction>& predictions);
/// One line an image: "a.jpg: 3 cat 0.981, 5 dog 0.012".
[[nodiscard]] std::string to_text(const std::vector<Prediction>& predictions);

}  // namespace espalier::recipe
