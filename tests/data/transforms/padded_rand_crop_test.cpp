#include "espalier/data/transforms/padded_rand_crop.h"

#include <set>

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

const Picture kPaddedRandCropPicture{.height = 5, .width = 6};

Planes crop(const Parameters& parameters, std::uint64_t seed) {
  return run_transforms({{.name = "PaddedRandCrop", .parameters = parameters}},
                        kPaddedRandCropPicture, seed);
}

/// True when the planes show the picture moved by (left, top), with `fill` around it.
bool shows(const Planes& planes, std::int64_t left, std::int64_t top, float fill) {
  const ImageShape& shape = planes.shape;
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    for (std::int64_t y = 0; y < shape.height; ++y) {
      for (std::int64_t x = 0; x < shape.width; ++x) {
        const bool inside = x + left >= 0 && x + left < 6 && y + top >= 0 && y + top < 5;
        const float expected = inside ? Picture::at(y + top, x + left, channel) : fill;
        const auto place = static_cast<std::size_t>((channel * shape.height + y) * shape.width + x);
        if (planes.values[place] != expected) return false;
      }
    }
  }
  return true;
}

TEST(PaddedRandCrop, MovesThePictureByUpToThePadding) {
  std::set<std::pair<std::int64_t, std::int64_t>> seen;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    const Planes planes = crop({{"padding", whole(2)}, {"fill", whole(9)}}, seed);
    ASSERT_EQ(planes.shape, (ImageShape{3, 5, 6}));
    for (std::int64_t left = -2; left <= 2; ++left) {
      for (std::int64_t top = -2; top <= 2; ++top) {
        if (shows(planes, left, top, 9)) seen.emplace(left, top);
      }
    }
  }
  EXPECT_EQ(seen.size(), 25U) << "every place occurs";
}

TEST(PaddedRandCrop, CutsToItsSize) {
  const Planes planes = crop({{"size", std::vector<double>{3, 2}}, {"padding", whole(0)}}, 4);
  EXPECT_EQ(planes.shape, (ImageShape{3, 2, 3}));
}

TEST(PaddedRandCrop, MayShowNothingButBorder) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(crop({{"size", whole(2)}, {"padding", whole(30)}}, seed).shape.height, 2);
  }
}

TEST(PaddedRandCrop, RefusesASizeThatDoesNotFit) {
  kit::expect_user_error(
      [] {
        (void)crop({{"size", whole(20)}}, 1);
      },
      "the padded image is smaller than PaddedRandCrop's size: got 6 x 5 with 4 "
      "pixels around, expected at least 20 x 20");
  kit::expect_user_error([] { (void)crop({{"padding", whole(-1)}}, 1); }, "bad value of 'padding'");
  kit::expect_user_error([] { (void)crop({{"fill", whole(256)}}, 1); }, "bad value of 'fill'");
}

}  // namespace
}  // namespace espalier::data
