#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "espalier/data/config.h"
#include "espalier/recipe/data_yaml.h"

namespace espalier::recipe {

/// How images of a plain folder become inputs of a network. What is left at its default follows
/// from the model (`fit_to_model`).
struct FolderOptions {
  std::vector<double> mean = {};           ///< empty: ImageNet's, or their mean for grey images
  std::vector<double> std_deviation = {};  ///< empty: likewise
  std::int64_t height = 0;                 ///< 0: the model's, or 224 where it leaves it open
  std::int64_t width = 0;                  ///< 0: likewise
  std::int64_t channels = 0;               ///< 1: grey; 3: RGB; 0: the model's, or RGB
};

/// Fills what is left at its default from the input of the model: an ONNX file, a checkpoint or a
/// run folder. A file that only an engine can read, or whose input is no image, says nothing.
/// Throws UserError when the file cannot be read.
[[nodiscard]] FolderOptions fit_to_model(const FolderOptions& options,
                                         const std::filesystem::path& model);

/// The transforms of such images. An image that has the size already stays as it is. Of any other
/// the shorter side becomes size * 256 / 224, or the size itself below 64 pixels, and the centre
/// is cut out; for an input that is not square the image is stretched.
[[nodiscard]] std::vector<data::TransformConfig> folder_transforms(const FolderOptions& options);
/// The same in words, for the log.
[[nodiscard]] std::string describe_transforms(const FolderOptions& options);

/// `data` is a data file, or a folder of images (class sub-folders or a flat folder), whose
/// transforms are logged.
[[nodiscard]] DataSplits open_data(const std::filesystem::path& data, const FolderOptions& options);

}  // namespace espalier::recipe
