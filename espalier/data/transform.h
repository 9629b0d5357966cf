#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "espalier/base/random.h"
#include "espalier/data/config.h"
#include "espalier/data/dataset.h"

namespace espalier::data {

/// The picture on its way through the transforms (image.h; holds an OpenCV matrix).
struct Image;

/// One step from a sample to a tensor. Immutable: one object serves all worker threads.
class Transform {
 public:
  virtual ~Transform() = default;
  /// Changes the picture; every random choice comes from `random`. Throws UserError.
  virtual void apply(Image& image, base::Random& random) const = 0;
};

/// Makes a transform by its PaddleClas name: DecodeImage, ResizeImage, CropImage, RandCropImage,
/// PaddedRandCrop, RandFlipImage, NormalizeImage, ToCHWImage. Throws UserError for an unknown name
/// or key, a wrong type, a value out of range.
[[nodiscard]] std::unique_ptr<const Transform> make_transform(const TransformConfig& config);

/// Names that make_transform knows.
[[nodiscard]] std::vector<std::string> transform_names();

/// Size of a picture as a network takes it.
struct ImageShape {
  std::int64_t channels = 0;
  std::int64_t height = 0;
  std::int64_t width = 0;
  [[nodiscard]] std::int64_t num_elements() const { return channels * height * width; }
  bool operator==(const ImageShape&) const = default;
};

/// The transforms of a data set, ending in float32 planes (C x H x W). Layouts are checked when
/// the chain is made: HWC from DecodeImage to ToCHWImage, and CHW at the end.
/// Const use from several threads is safe.
class TransformChain {
 public:
  /// Throws UserError naming the transform that does not fit.
  explicit TransformChain(const std::vector<TransformConfig>& configs);
  ~TransformChain();

  /// A picture ready to be written out.
  class Result {
   public:
    explicit Result(std::unique_ptr<Image> image);
    Result(Result&&) noexcept;
    ~Result();
    [[nodiscard]] ImageShape shape() const;

   private:
    friend class TransformChain;
    std::unique_ptr<Image> image_;
  };

  /// Decodes and transforms one sample. Throws UserError without naming the sample: the caller
  /// knows where it is from.
  [[nodiscard]] Result run(const Sample& sample, base::Random& random) const;
  /// Writes the planes: shape().num_elements() floats.
  void write(const Result& result, std::span<float> planes) const;

  /// True when the chain starts by decoding a file.
  [[nodiscard]] bool decodes() const;

 private:
  struct Plan;
  std::unique_ptr<const Plan> plan_;
};

}  // namespace espalier::data
