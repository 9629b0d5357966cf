#include "espalier/data/transforms/padded_rand_crop.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <opencv2/core.hpp>

#include "espalier/base/error.h"
#include "espalier/data/image.h"
#include "espalier/data/transforms/backend.h"

namespace espalier::data {
namespace {

class PaddedRandCrop : public Transform {
 public:
  PaddedRandCrop(std::optional<std::pair<int, int>> size, int padding, int fill)
      : size_(size), padding_(padding), fill_(fill) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override {
    return require_hwc(layout, "PaddedRandCrop");
  }

  void apply(Image& image, base::Random& random) const override {
    const cv::Mat& source = image.pixels;
    const cv::Size target = size_ ? cv::Size(size_->first, size_->second) : source.size();
    const int spare_x = source.cols + 2 * padding_ - target.width;
    const int spare_y = source.rows + 2 * padding_ - target.height;
    if (spare_x < 0 || spare_y < 0) {
      throw base::UserError(
          {.what = "the padded image is smaller than PaddedRandCrop's size",
           .got = fmt::format("{} x {} with {} pixels around", source.cols, source.rows, padding_),
           .expected = fmt::format("at least {} x {}", target.width, target.height),
           .hint = "put ResizeImage before it, or raise 'padding'"});
    }
    const int left =
        static_cast<int>(random.below(static_cast<std::uint64_t>(spare_x) + 1)) - padding_;
    const int top =
        static_cast<int>(random.below(static_cast<std::uint64_t>(spare_y) + 1)) - padding_;
    const cv::Rect part(cv::Point(left, top), target);
    const cv::Rect inside = part & cv::Rect(cv::Point(0, 0), source.size());
    cv::Mat result(target, source.type(), cv::Scalar::all(fill_));
    if (!inside.empty()) source(inside).copyTo(result(inside - part.tl()));
    image.pixels = result;
  }

 private:
  std::optional<std::pair<int, int>> size_;
  int padding_;
  int fill_;
};

}  // namespace

std::unique_ptr<const Transform> make_padded_rand_crop(ParameterReader& parameters) {
  const auto size = parameters.size("size");
  const auto padding = parameters.integer("padding", 4, {.lowest = 0, .highest = 4096});
  const auto fill = parameters.integer("fill", 0, {.lowest = 0, .highest = 255});
  return std::make_unique<PaddedRandCrop>(size, static_cast<int>(padding), static_cast<int>(fill));
}

}  // namespace espalier::data
