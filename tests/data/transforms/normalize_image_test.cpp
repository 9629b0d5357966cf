#include "espalier/data/transforms/normalize_image.h"

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_unsupported;
using kit::expect_user_error;

const Picture kNormalizeImagePicture{.height = 7, .width = 9};

Planes normalize(const Parameters& parameters, const Picture& picture = kNormalizeImagePicture) {
  return run_transforms({{.name = "NormalizeImage", .parameters = parameters}}, picture);
}

TEST(NormalizeImage, GivesTheBitsOfNumpy) {
  // (a.astype('float32') * np.float32(1 / 255.) - mean) / std, calculated by numpy 1.26 in float32.
  const Planes planes = normalize({{"scale", std::string("1.0/255.0")}});
  const auto at = [&](std::int64_t channel, std::int64_t y, std::int64_t x) {
    return planes.values[static_cast<std::size_t>((channel * 7 + y) * 9 + x)];
  };
  EXPECT_EQ(at(0, 0, 0), -0x1.0f177ap+1F);
  EXPECT_EQ(at(0, 0, 2), -0x1.e0ceecp+0F);
  EXPECT_EQ(at(1, 3, 4), 0x1.19d0b4p-2F);
  EXPECT_EQ(at(1, 3, 6), 0x1.abbe0ap-1F);
  EXPECT_EQ(at(2, 6, 6), -0x1.4814ep+0F);
  EXPECT_EQ(at(2, 6, 8), -0x1.a3f392p-2F);
}

TEST(NormalizeImage, GivesTheSameNumbersInTheMiddleOfTheChain) {
  const Planes last = normalize({});
  // Followed by a crop of everything it works pixel by pixel in float.
  const Planes middle =
      run_transforms({{.name = "NormalizeImage"},
                      {.name = "CropImage", .parameters = {{"size", std::vector<double>{9, 7}}}}},
                     kNormalizeImagePicture);
  EXPECT_EQ(last.values, middle.values);
}

TEST(NormalizeImage, WorksOnFloatsToo) {
  const Parameters halve{{"scale", 0.5}, {"mean", 0.0}, {"std", 1.0}};
  const Planes planes = run_transforms({{.name = "NormalizeImage", .parameters = halve},
                                        {.name = "NormalizeImage", .parameters = halve}},
                                       kNormalizeImagePicture);
  EXPECT_EQ(planes.values.back(), static_cast<float>(Picture::at(6, 8, 2)) / 4);
}

TEST(NormalizeImage, TakesOneValueForAllChannels) {
  const Parameters parameters{{"scale", std::int64_t{1}}, {"mean", 10.0}, {"std", std::int64_t{2}}};
  EXPECT_EQ(normalize(parameters).values[0], -5.0F);
  EXPECT_EQ(normalize(parameters, {.height = 2, .width = 2, .channels = 1}).shape.channels, 1);
}

TEST(NormalizeImage, AddsAPlaneOfZeros) {
  const Planes planes = normalize({{"channel_num", whole(4)}});
  EXPECT_EQ(planes.shape.channels, 4);
  EXPECT_EQ(planes.plane(3), std::vector<float>(63, 0.0F));
  EXPECT_EQ(planes.plane(1), normalize({}).plane(1));
  const Planes middle =
      run_transforms({{.name = "NormalizeImage", .parameters = {{"channel_num", whole(4)}}},
                      {.name = "CropImage", .parameters = {{"size", std::vector<double>{9, 7}}}}},
                     kNormalizeImagePicture);
  EXPECT_EQ(middle.values, planes.values);
}

TEST(NormalizeImage, RefusesValuesThatDoNotFitTheImage) {
  expect_user_error([] { (void)normalize({}, {.height = 2, .width = 2, .channels = 1}); },
                    "NormalizeImage's 'mean' does not fit the image: got 3 values for 1 channel, "
                    "expected 1");
  expect_user_error(
      [] {
        (void)normalize({{"std", std::vector<double>{1, 2}}});
      },
      "NormalizeImage's 'std' does not fit the image: got 2 values for 3 channels");
}

TEST(NormalizeImage, RefusesBadParameters) {
  expect_user_error(
      [] {
        (void)normalize({{"std", std::vector<double>{1, 0, 1}}});
      },
      "bad value of 'std': NormalizeImage: got [1, 0, 1], expected numbers other than 0");
  expect_user_error([] { (void)normalize({{"std", 1e-60}}); }, "expected numbers other than 0");
  expect_user_error(
      [] {
        (void)normalize({{"scale", std::string("0/255")}});
      },
      "bad value of 'scale': NormalizeImage: got '0/255', expected a number other than 0");
  expect_user_error(
      [] {
        (void)normalize({{"scale", std::string("one")}});
      },
      "got 'one', expected a number, or a fraction");
  expect_user_error(
      [] {
        (void)normalize({{"order", std::string("hcw")}});
      },
      "bad value of 'order': NormalizeImage: got 'hcw'");
  expect_user_error(
      [] {
        (void)normalize({{"channel_num", whole(2)}});
      },
      "got 2, expected 1, 3 or 4");
  expect_unsupported(
      [] {
        (void)normalize({{"output_fp16", true}});
      },
      "output_fp16 is not supported");
}

TEST(NormalizeImage, RefusesAnOrderThatContradictsThePixels) {
  expect_user_error(
      [] {
        (void)normalize({{"order", std::string("chw")}});
      },
      "NormalizeImage's order does not fit: got 'chw' before ToCHWImage, expected '' "
      "(follows the pixels) (or move ToCHWImage)");
  EXPECT_EQ(normalize({{"order", std::string("hwc")}}).values, normalize({}).values);
}

}  // namespace
}  // namespace espalier::data
