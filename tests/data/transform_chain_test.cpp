#include "espalier/data/transform_chain.h"

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

const Picture kTransformChainPicture{.height = 5, .width = 6};

TEST(TransformChain, WritesPlanes) {
  const Planes planes = run_transforms({}, kTransformChainPicture);
  EXPECT_EQ(planes.shape, (ImageShape{.channels = 3, .height = 5, .width = 6}));
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    for (std::int64_t y = 0; y < 5; ++y) {
      for (std::int64_t x = 0; x < 6; ++x) {
        EXPECT_EQ(planes.values[static_cast<std::size_t>((channel * 5 + y) * 6 + x)],
                  Picture::at(y, x, channel));
      }
    }
  }
}

TEST(TransformChain, DoesNotTouchThePixelsOfTheDataSet) {
  Sample sample{.storage = kTransformChainPicture.pixels()};
  sample.pixels = {.height = 5, .width = 6, .channels = 3, .bytes = sample.storage};
  const TransformChain chain({{.name = "RandFlipImage"},
                              {.name = "PaddedRandCrop"},
                              {.name = "NormalizeImage"},
                              {.name = "RandFlipImage", .parameters = {{"flip_code", whole(0)}}},
                              {.name = "NormalizeImage"},
                              {.name = "ToCHWImage"}});
  std::vector<float> planes(90);
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    base::Random random(seed);
    chain.write(chain.run(sample, random), planes);
  }
  EXPECT_EQ(sample.storage, kTransformChainPicture.pixels());
}

TEST(TransformChain, IsAFunctionOfTheRandomStream) {
  const std::vector<TransformConfig> configs{
      {.name = "RandCropImage", .parameters = {{"size", whole(4)}}}, {.name = "RandFlipImage"}};
  EXPECT_EQ(run_transforms(configs, kTransformChainPicture, 3).values,
            run_transforms(configs, kTransformChainPicture, 3).values);
  EXPECT_NE(run_transforms(configs, kTransformChainPicture, 3).values,
            run_transforms(configs, kTransformChainPicture, 4).values);
}

TEST(TransformChain, GivesTheSameNumbersInEveryOrderOfTheLastSteps) {
  const std::vector<float> expected =
      run_transforms({{.name = "NormalizeImage"}}, kTransformChainPicture).values;
  const TransformConfig last{.name = "NormalizeImage",
                             .parameters = {{"order", std::string("chw")}}};
  std::vector<TransformConfig> configs{{.name = "ToCHWImage"}, last};
  Sample sample{.storage = kTransformChainPicture.pixels()};
  sample.pixels = {.height = 5, .width = 6, .channels = 3, .bytes = sample.storage};
  const TransformChain chain(configs);
  base::Random random(1);
  std::vector<float> planes(90);
  chain.write(chain.run(sample, random), planes);
  EXPECT_EQ(planes, expected);
}

TEST(TransformChain, RefusesStepsThatDoNotFollowEachOther) {
  const auto refuse = [](const std::vector<TransformConfig>& configs, std::string_view text) {
    expect_user_error([&] { (void)TransformChain(configs); }, text);
  };
  const TransformConfig chw{.name = "ToCHWImage"};
  refuse({},
         "the transforms end with pixels in HWC order: expected CHW, as networks take it (add "
         "ToCHWImage at the end)");
  refuse({{.name = "NormalizeImage"}}, "add ToCHWImage at the end");
  refuse({chw, {.name = "CropImage", .where = "a.yaml:5"}},
         "a.yaml:5: CropImage needs pixels in HWC order: put it before ToCHWImage");
  refuse({{.name = "RandFlipImage"}, {.name = "DecodeImage"}, chw}, "DecodeImage must come first");
  refuse({{.name = "DecodeImage"}, {.name = "DecodeImage"}, chw}, "DecodeImage must come first");
  refuse({{.name = "DecodeImage", .parameters = {{"channel_first", true}}},
          {.name = "ResizeImage", .parameters = {{"size", whole(4)}}}},
         "ResizeImage needs pixels in HWC order");
  refuse({chw, chw}, "ToCHWImage needs pixels in HWC order");
}

TEST(TransformChain, TakesChannelsFirstFromTheDecoder) {
  const TransformChain chain(
      {{.name = "DecodeImage", .parameters = {{"channel_first", true}}},
       {.name = "NormalizeImage", .parameters = {{"order", std::string("chw")}}}});
  base::Random random(1);
  const Sample sample{.encoded = kTransformChainPicture.encode(".png")};
  std::vector<float> planes(90);
  chain.write(chain.run(sample, random), planes);
  EXPECT_EQ(planes, run_transforms({{.name = "NormalizeImage"}}, kTransformChainPicture).values);
}

TEST(TransformChain, RefusesFilesThatNothingDecodes) {
  expect_user_error([] { (void)run_transforms({}, kTransformChainPicture.encode(".png")); },
                    "the sample is a file: put DecodeImage first");
}

TEST(TransformChain, KeepsGreyPicturesGrey) {
  const Planes planes = run_transforms(
      {{.name = "DecodeImage"},
       {.name = "PaddedRandCrop"},
       {.name = "NormalizeImage",
        .parameters = {{"mean", std::vector<double>{0.5}}, {"std", std::vector<double>{0.25}}}}},
      Picture{.height = 4, .width = 4, .channels = 1});
  EXPECT_EQ(planes.shape, (ImageShape{.channels = 1, .height = 4, .width = 4}));
}

}  // namespace
}  // namespace espalier::data
