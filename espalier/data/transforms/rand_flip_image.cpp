#include "espalier/data/transforms/rand_flip_image.h"

#include <opencv2/core.hpp>

#include "espalier/data/image.h"
#include "espalier/data/transforms/backend.h"

namespace espalier::data {
namespace {

class RandFlipImage : public Transform {
 public:
  explicit RandFlipImage(int flip_code) : flip_code_(flip_code) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override {
    return require_hwc(layout, "RandFlipImage");
  }

  void apply(Image& image, base::Random& random) const override {
    if (random.below(2) == 0) return;
    cv::Mat result;
    cv::flip(image.pixels, result, flip_code_);
    image.pixels = result;
  }

 private:
  int flip_code_;
};

}  // namespace

std::unique_ptr<const Transform> make_rand_flip_image(ParameterReader& parameters) {
  const auto flip_code = parameters.integer("flip_code", 1, {.lowest = -1, .highest = 1});
  return std::make_unique<RandFlipImage>(static_cast<int>(flip_code));
}

}  // namespace espalier::data
