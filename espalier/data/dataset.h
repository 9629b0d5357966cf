#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/data/config.h"

namespace espalier::data {

/// 8-bit pixels, height x width x channels, row by row; RGB when there are three channels.
struct PixelView {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::int64_t channels = 0;
  std::span<const std::uint8_t> bytes = {};
};

/// One sample before the transforms: the bytes of an image file, or pixels.
struct Sample {
  std::int64_t label = -1;   ///< -1: the data set has no label
  std::string encoded = {};  ///< JPEG, PNG, ...; empty when `pixels` holds the image
  PixelView pixels = {};     ///< decoded image; points into the data set or into `storage`
  std::vector<std::uint8_t> storage = {};  ///< owns the pixels of images made on demand
};

/// Random access to labelled images. Const use from several threads is safe.
class Dataset {
 public:
  virtual ~Dataset() = default;

  [[nodiscard]] virtual std::size_t size() const = 0;
  /// Reads one sample; index < size(). Throws UserError naming the file and its list line.
  [[nodiscard]] virtual Sample read(std::size_t index) const = 0;
  /// Where a sample comes from, for messages: "val_list.txt:12 'images/a.jpg'".
  [[nodiscard]] virtual std::string describe(std::size_t index) const = 0;
  /// The file of a sample; empty where the data set keeps samples otherwise.
  [[nodiscard]] virtual std::string path(std::size_t /*index*/) const { return {}; }
  /// Number of classes: stated or largest label + 1; 0 when there are no labels.
  [[nodiscard]] virtual std::int64_t num_classes() const = 0;
  /// Names of the classes where the data set knows them.
  [[nodiscard]] virtual std::vector<std::string> class_names() const { return {}; }
  /// True when read() delivers file bytes, which DecodeImage must turn into pixels.
  [[nodiscard]] virtual bool encoded() const = 0;
  /// Samples left out while the data set was opened (BadSamples::Skip).
  [[nodiscard]] virtual std::size_t num_skipped() const { return 0; }
};

/// Shared because a loader, its subsets and an evaluation read the same images.
using DatasetPtr = std::shared_ptr<const Dataset>;

/// Opens a data set by name: "ImageNetDataset", "ImageFolder", "FashionMNIST", "IDX", "Synthetic".
/// Throws UserError for an unknown name or key, a wrong type, a bad file, an empty data set.
[[nodiscard]] DatasetPtr open_dataset(const DatasetConfig& config,
                                      BadSamples policy = BadSamples::Error);

/// Names that open_dataset knows.
[[nodiscard]] std::vector<std::string> dataset_names();

}  // namespace espalier::data
