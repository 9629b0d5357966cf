#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "espalier/data/config.h"
#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// The data of a run by purpose. A file that describes one split gives `only`; a file in
/// PaddleClas's `DataLoader: {Train: ..., Eval: ...}` form, or the recipes' form `train: ..., eval:
/// ...`, gives the named ones.
struct DataSplits {
  std::optional<data::DataConfig> only;
  std::optional<data::DataConfig> train;
  std::optional<data::DataConfig> eval;
  std::optional<data::DataConfig> test;

  /// The split to train or calibrate on / to evaluate on; `only` where the file has one split.
  /// Throws UserError when the file lacks it.
  [[nodiscard]] const data::DataConfig& for_training() const;
  [[nodiscard]] const data::DataConfig& for_evaluation() const;
  /// What final figures are taken on: the test split, or the evaluation split without one.
  [[nodiscard]] const data::DataConfig& for_judging() const;
  std::string source;
};

/// Reads a data block: `dataset: {name, ..., transform_ops: [...]}`, `sampler: {...}`,
/// `loader: {...}`, as PaddleClas writes it (docs/data.md). Relative paths in it are tried against
/// the working directory, then `folder`. Throws UserError with line for unknown keys and bad
/// values, UnsupportedError for PaddleSeg blocks and batch transforms.
[[nodiscard]] DataSplits parse_data(const YamlValue& document, const std::filesystem::path& folder);
[[nodiscard]] DataSplits load_data(const std::filesystem::path& file);

}  // namespace espalier::recipe
