#include "espalier/data/transforms/rand_flip_image.h"

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

const Picture kRandFlipImagePicture{.height = 3, .width = 4};

class EveryCode : public testing::TestWithParam<int> {};

TEST_P(EveryCode, MirrorsHalfOfThePictures) {
  const int code = GetParam();
  int flipped = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const Planes planes =
        run_transforms({{.name = "RandFlipImage", .parameters = {{"flip_code", whole(code)}}}},
                       kRandFlipImagePicture, seed);
    const bool as_it_was = planes.values[0] == Picture::at(0, 0, 0);
    const std::int64_t x = !as_it_was && code != 0 ? 3 : 0;
    const std::int64_t y = !as_it_was && code != 1 ? 2 : 0;
    ASSERT_EQ(planes.values[0], Picture::at(y, x, 0));
    ASSERT_EQ(planes.values.back(), Picture::at(2 - y, 3 - x, 2));
    flipped += as_it_was ? 0 : 1;
  }
  EXPECT_GT(flipped, 150);
  EXPECT_LT(flipped, 250);
}

INSTANTIATE_TEST_SUITE_P(RandFlipImage, EveryCode, testing::Values(-1, 0, 1));

TEST(RandFlipImage, RefusesOtherCodes) {
  kit::expect_user_error(
      [] {
        (void)make_transform({.name = "RandFlipImage", .parameters = {{"flip_code", whole(2)}}});
      },
      "bad value of 'flip_code': RandFlipImage: got 2, expected a whole number in -1..1");
}

}  // namespace
}  // namespace espalier::data
