#include "espalier/data/transforms/crop_image.h"

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

Planes crop(std::vector<double> size, const Picture& picture) {
  return run_transforms({{.name = "CropImage", .parameters = {{"size", std::move(size)}}}},
                        picture);
}

TEST(CropImage, TakesTheCentreRoundedDown) {
  const Planes planes = crop({4, 2}, {.height = 7, .width = 9});
  EXPECT_EQ(planes.shape, (ImageShape{3, 2, 4}));
  EXPECT_EQ(planes.values.front(), Picture::at(2, 2, 0));
  EXPECT_EQ(planes.values.back(), Picture::at(3, 5, 2));
}

TEST(CropImage, TakesTheWholePicture) {
  EXPECT_EQ(crop({5, 5}, {.height = 5, .width = 5}).values,
            run_transforms({}, Picture{.height = 5, .width = 5}).values);
}

TEST(CropImage, Crops224UnlessAsked) {
  EXPECT_EQ(run_transforms({{.name = "CropImage"}}, Picture{.height = 230, .width = 240}).shape,
            (ImageShape{3, 224, 224}));
}

TEST(CropImage, RefusesASmallerPicture) {
  kit::expect_user_error(
      [] {
        (void)crop({4, 8}, {.height = 7, .width = 9});
      },
      "the image is smaller than CropImage's size: got 9 x 7, expected at least 4 x "
      "8 (put ResizeImage with resize_short before it)");
}

}  // namespace
}  // namespace espalier::data
