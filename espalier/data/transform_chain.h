#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "espalier/base/random.h"
#include "espalier/data/config.h"
#include "espalier/data/dataset.h"
#include "espalier/data/transform.h"

namespace espalier::data {

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

  /// A picture ready to be written out; valid as long as its sample.
  class Result {
   public:
    Result(std::unique_ptr<Image> image, ImageShape shape);
    Result(Result&&) noexcept;
    ~Result();
    [[nodiscard]] ImageShape shape() const { return shape_; }

   private:
    friend class TransformChain;
    std::unique_ptr<Image> image_;
    ImageShape shape_;
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
