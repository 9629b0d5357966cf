#include "espalier/data/transforms/resize_image.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <opencv2/imgproc.hpp>

#include "espalier/base/error.h"
#include "espalier/data/image.h"
#include "espalier/data/image_header.h"
#include "espalier/data/transforms/backend.h"

namespace espalier::data {
namespace {

class ResizeImage : public Transform {
 public:
  ResizeImage(int resize_short, std::pair<int, int> size, Interpolation interpolation)
      : resize_short_(resize_short), size_(size), interpolation_(interpolation) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override {
    return require_hwc(layout, "ResizeImage");
  }

  void apply(Image& image, base::Random& random) const override {
    cv::Mat result;
    cv::resize(image.pixels, result, target(image.pixels.size()), 0, 0,
               interpolation_.flag(random));
    image.pixels = result;
  }

 private:
  [[nodiscard]] cv::Size target(cv::Size source) const {
    if (resize_short_ == 0) return {size_.first, size_.second};
    const double percent =
        static_cast<double>(resize_short_) / std::min(source.width, source.height);
    const double width = std::nearbyint(source.width * percent);
    const double height = std::nearbyint(source.height * percent);
    if (width * height > static_cast<double>(kMaximumPixels)) {
      throw base::UserError({.what = "the resized image would be too large",
                             .got = fmt::format("{} x {}", width, height),
                             .expected = fmt::format("at most {} pixels", kMaximumPixels)});
    }
    return {static_cast<int>(width), static_cast<int>(height)};
  }

  int resize_short_;  ///< 0: use size_
  std::pair<int, int> size_;
  Interpolation interpolation_;
};

}  // namespace

std::unique_ptr<const Transform> make_resize_image(ParameterReader& parameters) {
  const auto resize_short = parameters.integer("resize_short", 0, {.lowest = 1, .highest = 65535});
  const auto size = parameters.size("size");
  const Interpolation interpolation = Interpolation::read(parameters);
  require_opencv_backend(parameters);
  if (resize_short == 0 && !size) parameters.fail("size", "'resize_short' or 'size'");
  return std::make_unique<ResizeImage>(static_cast<int>(resize_short),
                                       size.value_or(std::pair(1, 1)), interpolation);
}

}  // namespace espalier::data
