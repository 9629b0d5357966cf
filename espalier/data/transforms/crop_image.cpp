#include "espalier/data/transforms/crop_image.h"

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include "espalier/base/error.h"
#include "espalier/data/image.h"
#include "espalier/data/transforms/backend.h"

namespace espalier::data {
namespace {

class CropImage : public Transform {
 public:
  explicit CropImage(std::pair<int, int> size) : size_(size.first, size.second) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override {
    return require_hwc(layout, "CropImage");
  }

  void apply(Image& image, base::Random& /*random*/) const override {
    const cv::Size source = image.pixels.size();
    if (source.width < size_.width || source.height < size_.height) {
      throw base::UserError({.what = "the image is smaller than CropImage's size",
                             .got = fmt::format("{} x {}", source.width, source.height),
                             .expected = fmt::format("at least {} x {}", size_.width, size_.height),
                             .hint = "put ResizeImage with resize_short before it"});
    }
    const cv::Point corner((source.width - size_.width) / 2, (source.height - size_.height) / 2);
    image.pixels = image.pixels(cv::Rect(corner, size_));
  }

 private:
  cv::Size size_;
};

}  // namespace

std::unique_ptr<const Transform> make_crop_image(ParameterReader& parameters) {
  return std::make_unique<CropImage>(parameters.size("size").value_or(std::pair(224, 224)));
}

}  // namespace espalier::data
