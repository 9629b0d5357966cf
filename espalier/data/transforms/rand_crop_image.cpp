#include "espalier/data/transforms/rand_crop_image.h"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

#include "espalier/data/image.h"
#include "espalier/data/transforms/backend.h"

namespace espalier::data {
namespace {

struct RandCropOptions {
  std::pair<int, int> size{224, 224};
  std::pair<double, double> scale{0.08, 1.0};
  std::pair<double, double> ratio{3.0 / 4.0, 4.0 / 3.0};
  bool use_log_aspect = false;
  Interpolation interpolation;
};

class RandCropImage : public Transform {
 public:
  explicit RandCropImage(const RandCropOptions& options) : options_(options) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override {
    return require_hwc(layout, "RandCropImage");
  }

  void apply(Image& image, base::Random& random) const override {
    const cv::Rect part = draw_part(image.pixels.size(), random);
    cv::Mat result;
    cv::resize(image.pixels(part), result, {options_.size.first, options_.size.second}, 0, 0,
               options_.interpolation.flag(random));
    image.pixels = result;
  }

 private:
  [[nodiscard]] double draw_aspect(base::Random& random) const {
    const auto [low, high] = options_.ratio;
    if (!options_.use_log_aspect) return random.uniform(low, high);
    return std::exp(random.uniform(std::log(low), std::log(high)));
  }

  [[nodiscard]] cv::Rect draw_part(cv::Size source, base::Random& random) const {
    const double root = std::sqrt(draw_aspect(random));
    const double wide = root;
    const double high = 1.0 / root;
    const double shape = static_cast<double>(source.width) / source.height;
    const double bound = std::min(shape / (wide * wide), 1.0 / shape / (high * high));
    const double share = random.uniform(std::min(options_.scale.first, bound),
                                        std::min(options_.scale.second, bound));
    const double side = std::sqrt(static_cast<double>(source.width) * source.height * share);
    // Rounding may reach one past the image; a tiny image may round to nothing.
    const int width = std::clamp(static_cast<int>(side * wide), 1, source.width);
    const int height = std::clamp(static_cast<int>(side * high), 1, source.height);
    const auto x = random.below(static_cast<std::uint64_t>(source.width - width) + 1);
    const auto y = random.below(static_cast<std::uint64_t>(source.height - height) + 1);
    return {static_cast<int>(x), static_cast<int>(y), width, height};
  }

  RandCropOptions options_;
};

}  // namespace

std::unique_ptr<const Transform> make_rand_crop_image(ParameterReader& parameters) {
  RandCropOptions options;
  options.size = parameters.size("size").value_or(options.size);
  options.scale = parameters.range("scale", options.scale);
  options.ratio = parameters.range("ratio", options.ratio);
  options.use_log_aspect = parameters.boolean("use_log_aspect", options.use_log_aspect);
  options.interpolation = Interpolation::read(parameters);
  require_opencv_backend(parameters);
  return std::make_unique<RandCropImage>(options);
}

}  // namespace espalier::data
