#include "espalier/data/transforms/resize_image.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

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
  struct Options {
    int resize_short = 0;  ///< 0: use `size`
    std::pair<int, int> size{1, 1};
    std::optional<std::pair<int, int>> keep_size;  ///< an image of this size stays as it is
    Interpolation interpolation;
  };

  explicit ResizeImage(const Options& options) : options_(options) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override {
    return require_hwc(layout, "ResizeImage");
  }

  void apply(Image& image, base::Random& random) const override {
    const cv::Size source = image.pixels.size();
    if (options_.keep_size && std::pair(source.width, source.height) == *options_.keep_size) return;
    cv::Mat result;
    cv::resize(image.pixels, result, target(source), 0, 0, options_.interpolation.flag(random));
    image.pixels = result;
  }

 private:
  [[nodiscard]] cv::Size target(cv::Size source) const {
    if (options_.resize_short == 0) return {options_.size.first, options_.size.second};
    const double percent =
        static_cast<double>(options_.resize_short) / std::min(source.width, source.height);
    const double width = std::nearbyint(source.width * percent);
    const double height = std::nearbyint(source.height * percent);
    if (width * height > static_cast<double>(kMaximumPixels)) {
      throw base::UserError({.what = "the resized image would be too large",
                             .got = fmt::format("{} x {}", width, height),
                             .expected = fmt::format("at most {} pixels", kMaximumPixels)});
    }
    return {static_cast<int>(width), static_cast<int>(height)};
  }

  Options options_;
};

}  // namespace

std::unique_ptr<const Transform> make_resize_image(ParameterReader& parameters) {
  const auto resize_short = parameters.integer("resize_short", 0, {.lowest = 1, .highest = 65535});
  const auto size = parameters.size("size");
  ResizeImage::Options options{.resize_short = static_cast<int>(resize_short),
                               .size = size.value_or(std::pair(1, 1)),
                               .keep_size = parameters.size("keep_size"),
                               .interpolation = Interpolation::read(parameters)};
  require_opencv_backend(parameters);
  if (resize_short == 0 && !size) parameters.fail("size", "'resize_short' or 'size'");
  return std::make_unique<ResizeImage>(options);
}

}  // namespace espalier::data
