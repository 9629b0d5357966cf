#include "espalier/data/transforms/resize_image.h"

#include <gmock/gmock.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

struct Case {
  const char* interpolation;
  std::vector<float> smaller;  ///< 9 x 7 to 4 x 3, channel 1
  std::vector<float> larger;   ///< 9 x 7 to 11 x 8, row 2 of channel 0
};

class EveryFilter : public testing::TestWithParam<Case> {};

// Calculated by cv2.resize of the Python packages opencv-python-headless 4.6.0.66 and 5.0.0
// (equal).
TEST_P(EveryFilter, GivesThePixelsOfCv2) {
  const Picture picture{.height = 7, .width = 9};
  const std::string filter = GetParam().interpolation;
  const auto resize = [&](std::vector<double> size) {
    return run_transforms(
        {{.name = "ResizeImage", .parameters = {{"size", size}, {"interpolation", filter}}}},
        picture);
  };
  EXPECT_EQ(resize({4, 3}).plane(1), GetParam().smaller);
  const std::vector<float> larger = resize({11, 8}).plane(0);
  EXPECT_EQ(std::vector<float>(larger.begin() + 22, larger.begin() + 33), GetParam().larger);
}

INSTANTIATE_TEST_SUITE_P(
    ResizeImage, EveryFilter,
    testing::Values(Case{"nearest",
                         {29, 43, 57, 71, 55, 81, 107, 133, 81, 119, 157, 195},
                         {13, 13, 23, 33, 43, 53, 53, 63, 73, 83, 93}},
                    Case{"bilinear",
                         {43, 63, 84, 104, 78, 114, 150, 186, 113, 164, 205, 119},
                         {22, 31, 40, 50, 60, 70, 80, 90, 100, 110, 118}},
                    Case{"area",
                         {44, 65, 85, 105, 79, 114, 150, 185, 113, 164, 178, 107},
                         {22, 32, 41, 50, 60, 71, 81, 91, 100, 110, 119}},
                    Case{"bicubic",
                         {41, 61, 82, 102, 76, 113, 151, 188, 112, 166, 211, 119},
                         {21, 29, 40, 50, 60, 69, 78, 88, 99, 109, 118}},
                    Case{"lanczos",
                         {42, 62, 82, 102, 77, 114, 150, 187, 112, 166, 208, 123},
                         {22, 30, 41, 51, 61, 71, 80, 90, 100, 111, 120}}));

ImageShape resize_short(std::int64_t length, const Picture& picture) {
  return run_transforms({{.name = "ResizeImage", .parameters = {{"resize_short", whole(length)}}}},
                        picture)
      .shape;
}

TEST(ResizeImage, KeepsTheRatioOfTheShortSide) {
  EXPECT_EQ(resize_short(5, {.height = 7, .width = 9}), (ImageShape{3, 5, 6}));
  EXPECT_EQ(resize_short(256, {.height = 30, .width = 20}), (ImageShape{3, 384, 256}));
  // 5 * 2.5 = 12.5 and 7 * 2.5 = 17.5: Python rounds halves to even.
  EXPECT_EQ(resize_short(5, {.height = 2, .width = 5}), (ImageShape{3, 5, 12}));
  EXPECT_EQ(resize_short(5, {.height = 2, .width = 7}), (ImageShape{3, 5, 18}));
}

TEST(ResizeImage, TakesWidthThenHeight) {
  const Planes planes = run_transforms(
      {{.name = "ResizeImage", .parameters = {{"size", std::vector<double>{12, 10}}}}},
      Picture{.height = 3, .width = 3});
  EXPECT_EQ(planes.shape, (ImageShape{3, 10, 12}));
}

TEST(ResizeImage, LeavesImagesOfTheSizeToKeep) {
  const auto resize = [](const Picture& picture) {
    return run_transforms({{.name = "ResizeImage",
                            .parameters = {{"resize_short", whole(8)}, {"keep_size", whole(6)}}}},
                          picture);
  };
  const Picture kept{.height = 6, .width = 6};
  EXPECT_EQ(resize(kept).plane(1), run_transforms({}, kept).plane(1));
  EXPECT_EQ(resize({.height = 6, .width = 9}).shape, (ImageShape{3, 8, 12}));
}

TEST(ResizeImage, PrefersTheShortSide) {
  const Planes planes = run_transforms(
      {{.name = "ResizeImage", .parameters = {{"size", whole(9)}, {"resize_short", whole(4)}}}},
      Picture{.height = 2, .width = 3});
  EXPECT_EQ(planes.shape, (ImageShape{3, 4, 6}));
}

TEST(ResizeImage, RefusesBadParameters) {
  expect_user_error(
      [] { (void)make_transform({.name = "ResizeImage"}); },
      "bad value of 'size': ResizeImage: got nothing, expected 'resize_short' or 'size'");
  expect_user_error(
      [] {
        (void)make_transform({.name = "ResizeImage", .parameters = {{"resize_short", whole(0)}}});
      },
      "bad value of 'resize_short': ResizeImage: got 0, expected a whole number in 1..65535");
}

TEST(ResizeImage, RefusesAStripThatWouldBecomeHuge) {
  expect_user_error([] { (void)resize_short(2000, {.height = 1, .width = 60000}); },
                    "the resized image would be too large: got 120000000 x 2000");
}

}  // namespace
}  // namespace espalier::data
