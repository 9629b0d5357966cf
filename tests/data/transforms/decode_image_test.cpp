#include "espalier/data/transforms/decode_image.h"

#include <cmath>

#include <gtest/gtest.h>

#include "espalier/base/error.h"
#include "espalier/base/random.h"
#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

const Picture kDecodeImagePicture{.height = 12, .width = 17};

Planes decode(const std::string& encoded, const Parameters& parameters = {}) {
  return run_transforms({{.name = "DecodeImage", .parameters = parameters}}, encoded);
}

TEST(DecodeImage, GivesRgb) {
  const Planes expected = run_transforms({}, kDecodeImagePicture);
  for (const char* extension : {".png", ".bmp", ".ppm", ".tiff"}) {
    EXPECT_EQ(decode(kDecodeImagePicture.encode(extension)).values, expected.values) << extension;
  }
}

TEST(DecodeImage, GivesBgrOnRequest) {
  const Planes planes = decode(kDecodeImagePicture.encode(".png"), {{"to_rgb", false}});
  const Planes expected = run_transforms({}, kDecodeImagePicture);
  EXPECT_EQ(planes.plane(0), expected.plane(2));
  EXPECT_EQ(planes.plane(2), expected.plane(0));
}

TEST(DecodeImage, GivesOneChannelOnRequest) {
  const Picture grey{.height = 4, .width = 5, .channels = 1};
  EXPECT_EQ(decode(grey.encode(".png"), {{"to_gray", true}}).values,
            run_transforms({}, grey).values);
  EXPECT_EQ(decode(grey.encode(".png")).shape.channels, 3) << "as cv2 does";
  EXPECT_EQ(decode(kDecodeImagePicture.encode(".png"), {{"to_gray", true}}).shape.channels, 1);
}

TEST(DecodeImage, DecodesLossyFilesClosely) {
  // Smooth, so that compression changes little.
  const Picture smooth{.height = 5, .width = 5};
  const Planes planes = decode(smooth.encode(".jpg"));
  const Planes expected = run_transforms({}, smooth);
  double error = 0;
  for (std::size_t i = 0; i < planes.values.size(); ++i) {
    error += std::abs(planes.values[i] - expected.values[i]);
  }
  EXPECT_LT(error / static_cast<double>(planes.values.size()), 12);
}

TEST(DecodeImage, ConvertsPixelsOfADataSet) {
  const auto convert = [](const Parameters& parameters, const Picture& picture) {
    return run_transforms({{.name = "DecodeImage", .parameters = parameters}}, picture);
  };
  EXPECT_EQ(convert({}, kDecodeImagePicture).values,
            run_transforms({}, kDecodeImagePicture).values);
  EXPECT_EQ(convert({{"to_rgb", false}}, kDecodeImagePicture).plane(0),
            run_transforms({}, kDecodeImagePicture).plane(2));
  EXPECT_EQ(convert({{"to_gray", true}}, kDecodeImagePicture).shape.channels, 1);
  EXPECT_EQ(convert({{"to_rgb", false}}, {.height = 2, .width = 2, .channels = 1}).shape.channels,
            1);
}

TEST(DecodeImage, NamesWhatIsWrongWithAFile) {
  expect_user_error([] { (void)decode("<html>"); }, "the file is no image: got unknown content");
  const std::string jpeg = kDecodeImagePicture.encode(".jpg");
  expect_user_error([&] { (void)decode(jpeg.substr(0, jpeg.size() / 2)); },
                    "the image file is cut off");
  std::string png = kDecodeImagePicture.encode(".png");
  for (std::size_t place = 45; place < 80; ++place) png[place] = '\x5a';
  expect_user_error(
      [&] { (void)decode(png); },
      "the image cannot be decoded: got damaged content (open it with an image viewer");
  const std::string bmp = kDecodeImagePicture.encode(".bmp");
  expect_user_error([&] { (void)decode(bmp.substr(0, 60)); }, "the image");
}

TEST(DecodeImage, SurvivesDamageAnywhere) {
  for (const char* extension : {".jpg", ".png", ".bmp", ".webp", ".ppm", ".tiff"}) {
    const std::string whole = Picture{.height = 9, .width = 9}.encode(extension);
    base::Random random(5);
    for (int attempt = 0; attempt < 60; ++attempt) {
      std::string damaged = whole;
      for (int change = 0; change < 4; ++change) {
        damaged[random.below(damaged.size())] = static_cast<char>(random.below(256));
      }
      try {
        (void)decode(damaged);
      } catch (const base::UserError&) {
        // A clear refusal is what damage shall get.
      }
    }
  }
}

}  // namespace
}  // namespace espalier::data
