#include "espalier/data/transforms/rand_crop_image.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

Planes crop(const Parameters& parameters, const Picture& picture, std::uint64_t seed) {
  return run_transforms({{.name = "RandCropImage", .parameters = parameters}}, picture, seed);
}

/// A picture whose red is x and whose green is y, so that the corners of a part can be read off it.
struct Ramp {
  std::vector<std::uint8_t> pixels;
  Sample sample;

  Ramp(std::int64_t height, std::int64_t width) {
    for (std::int64_t y = 0; y < height; ++y) {
      for (std::int64_t x = 0; x < width; ++x) {
        for (const std::int64_t value : {x, y, std::int64_t{0}}) {
          pixels.push_back(static_cast<std::uint8_t>(value));
        }
      }
    }
    sample.pixels = {.height = height, .width = width, .channels = 3, .bytes = pixels};
  }
};

/// Width and height of the part, from the pixels of a nearest-neighbour crop.
std::pair<double, double> part_size(const TransformChain& chain, const Ramp& ramp,
                                    std::uint64_t seed) {
  base::Random random(seed);
  std::vector<float> planes(3 * 64 * 64);
  chain.write(chain.run(ramp.sample, random), planes);
  const float width = planes[63] - planes[0];
  const float height = planes[64 * 64 + 63 * 64] - planes[64 * 64];
  return {width + 1, height + 1};
}

TEST(RandCropImage, DrawsAreaAndShapeFromTheirRanges) {
  const TransformChain chain(
      {{.name = "RandCropImage",
        .parameters = {{"size", whole(64)}, {"interpolation", std::string("nearest")}}},
       {.name = "ToCHWImage"}});
  const Ramp ramp(200, 250);
  double smallest = 1;
  double largest = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const auto [width, height] = part_size(chain, ramp, seed);
    // The last of 64 nearest pixels lies up to one 64th before the edge.
    const double area = width * height / (200.0 * 250.0);
    smallest = std::min(smallest, area);
    largest = std::max(largest, area);
    EXPECT_GT(width / height, 0.75 * 0.93);
    EXPECT_LT(width / height, 4.0 / 3.0 * 1.07);
    EXPECT_GT(area, 0.08 * 0.9);
  }
  EXPECT_LT(smallest, 0.12);
  EXPECT_GT(largest, 0.85);
}

TEST(RandCropImage, ResizesToTheSize) {
  const Picture picture{.height = 40, .width = 60};
  EXPECT_EQ(crop({{"size", whole(9)}}, picture, 1).shape, (ImageShape{3, 9, 9}));
  EXPECT_EQ(crop({{"size", std::vector<double>{12, 7}}}, picture, 1).shape, (ImageShape{3, 7, 12}));
  EXPECT_EQ(crop({}, picture, 1).shape, (ImageShape{3, 224, 224}));
}

TEST(RandCropImage, TakesAllWhenAllIsAskedFor) {
  const Parameters all{{"size", whole(20)},
                       {"scale", std::vector<double>{1, 1}},
                       {"ratio", std::vector<double>{1, 1}}};
  const Picture picture{.height = 20, .width = 20};
  EXPECT_EQ(crop(all, picture, 5).values, run_transforms({}, picture).values);
}

TEST(RandCropImage, AlwaysFitsOddPictures) {
  for (const Picture picture :
       {Picture{.height = 1, .width = 1}, Picture{.height = 1, .width = 300},
        Picture{.height = 300, .width = 2}}) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      EXPECT_EQ(crop({{"size", whole(4)}}, picture, seed).shape, (ImageShape{3, 4, 4}));
      EXPECT_EQ(crop({{"size", whole(4)}, {"use_log_aspect", true}}, picture, seed).shape.width, 4);
    }
  }
}

TEST(RandCropImage, RefusesBadRanges) {
  for (const char* key : {"scale", "ratio"}) {
    const TransformConfig config{.name = "RandCropImage",
                                 .parameters = {{key, std::vector<double>{0.5, 0.1}}}};
    kit::expect_user_error([&] { (void)make_transform(config); },
                           "got [0.5, 0.1], expected two numbers [low, high] with 0 < low <= high");
  }
}

}  // namespace
}  // namespace espalier::data
