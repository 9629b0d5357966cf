#include "espalier/data/transforms/decode_image.h"

#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/data/image.h"
#include "espalier/data/image_header.h"
#include "espalier/data/transforms/backend.h"

namespace espalier::data {
namespace {

class DecodeImage : public Transform {
 public:
  enum class Colour { Rgb, Bgr, Gray };

  DecodeImage(Colour colour, Layout layout) : colour_(colour), layout_(layout) {}

  [[nodiscard]] Layout layout_after(Layout layout) const override {
    base::check(layout == Layout::Encoded || layout == Layout::Hwc,
                "DecodeImage must come first: move it to the top of the transforms");
    return layout_;
  }

  void apply(Image& image, base::Random& /*random*/) const override {
    if (image.pixels.empty()) {
      decode(image);
    } else {
      convert(image);
    }
  }

 private:
  void decode(Image& image) const {
    (void)check_image_header(image.encoded);
    const cv::Mat bytes(1, static_cast<int>(image.encoded.size()), CV_8UC1,
                        const_cast<char*>(image.encoded.data()));  // cv::Mat has no const form
    image.pixels =
        cv::imdecode(bytes, colour_ == Colour::Gray ? cv::IMREAD_GRAYSCALE : cv::IMREAD_COLOR);
    if (image.pixels.empty()) {
      throw base::UserError({.what = "the image cannot be decoded",
                             .got = "damaged content",
                             .hint = "open it with an image viewer, or replace it"});
    }
    if (colour_ == Colour::Rgb) cv::cvtColor(image.pixels, image.pixels, cv::COLOR_BGR2RGB);
  }

  /// Pixels that a data set delivers are RGB or grey.
  void convert(Image& image) const {
    if (image.pixels.channels() != 3 || colour_ == Colour::Rgb) return;
    cv::Mat result;
    cv::cvtColor(image.pixels, result,
                 colour_ == Colour::Bgr ? cv::COLOR_RGB2BGR : cv::COLOR_RGB2GRAY);
    image.pixels = result;
  }

  Colour colour_;
  Layout layout_;
};

}  // namespace

std::unique_ptr<const Transform> make_decode_image(ParameterReader& parameters) {
  const bool to_rgb = parameters.boolean("to_rgb", true);
  const bool to_gray = parameters.boolean("to_gray", false);
  const bool channel_first = parameters.boolean("channel_first", false);
  (void)parameters.boolean("to_np", true);
  require_opencv_backend(parameters);
  using Colour = DecodeImage::Colour;
  const Colour colour = to_gray ? Colour::Gray : to_rgb ? Colour::Rgb : Colour::Bgr;
  return std::make_unique<DecodeImage>(colour, channel_first ? Layout::Chw : Layout::Hwc);
}

}  // namespace espalier::data
