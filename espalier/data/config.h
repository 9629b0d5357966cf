#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace espalier::data {

/// A value of a configuration: what a scalar or a list of numbers in a recipe can be.
using Parameter = std::variant<bool, std::int64_t, double, std::string, std::vector<double>>;
using Parameters = std::map<std::string, Parameter>;

/// One transform by its PaddleClas name, e.g. {"ResizeImage", {{"resize_short", 256}}}.
/// Names, keys, types and ranges are checked when the transform is made.
struct TransformConfig {
  std::string name;
  Parameters parameters = {};
  std::string where = {};  ///< place for messages, e.g. "train.yaml:14"
};

/// What to do with an image that cannot be read or a list line that makes no sense.
enum class BadSamples {
  Error,  ///< stop with a UserError that names it
  Skip,   ///< leave it out, log it, count it
};

/// One of the two disjoint parts into which hold_out() draws a data set (subset.h).
struct PartConfig {
  std::int64_t samples = 0;  ///< of the held-out part
  std::uint64_t seed = 0;
  bool held_out = false;  ///< false: the rest
};

/// One data set by its name, e.g. {"ImageNetDataset", {{"image_root", "images"}, ...}}.
struct DatasetConfig {
  std::string name;
  Parameters parameters = {};
  std::vector<TransformConfig> transforms = {};
  /// Relative paths are tried against the working directory, then against this folder.
  std::filesystem::path folder = {};
  std::string where = {};  ///< place for messages, e.g. "train.yaml:3"
  std::optional<PartConfig> part = std::nullopt;
};

/// In which order and grouping samples are delivered.
struct SamplerConfig {
  std::int64_t batch_size = 64;
  bool shuffle = false;
  bool drop_last = false;  ///< leave out the last batch when it is smaller
};

/// How samples are produced.
struct LoaderConfig {
  std::int64_t num_workers = 2;       ///< threads that decode and augment ahead; 0: in the caller
  std::int64_t prefetch_batches = 2;  ///< finished batches that may wait, beside the one in work
  BadSamples bad_samples = BadSamples::Error;
};

/// The content of a data file: PaddleClas's `DataLoader.<split>` block.
struct DataConfig {
  DatasetConfig dataset;
  SamplerConfig sampler = {};
  LoaderConfig loader = {};
};

}  // namespace espalier::data
