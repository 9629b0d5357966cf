#include "espalier/data/transforms/backend.h"

#include <set>

#include <gtest/gtest.h>
#include <opencv2/imgproc.hpp>

#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

int flag_of(const std::string& name, std::uint64_t seed = 0) {
  const Parameters parameters{{"interpolation", name}};
  ParameterReader reader("ResizeImage", parameters, "");
  base::Random random(seed);
  return Interpolation::read(reader).flag(random);
}

TEST(Interpolation, KnowsTheNamesOfPaddleClas) {
  EXPECT_EQ(flag_of("nearest"), cv::INTER_NEAREST);
  EXPECT_EQ(flag_of("bilinear"), cv::INTER_LINEAR);
  EXPECT_EQ(flag_of("area"), cv::INTER_AREA);
  EXPECT_EQ(flag_of("bicubic"), cv::INTER_CUBIC);
  EXPECT_EQ(flag_of("lanczos"), cv::INTER_LANCZOS4);
  kit::expect_user_error([] { (void)flag_of("hamming"); }, "bad value of 'interpolation'");
}

TEST(Interpolation, IsBilinearUnlessAsked) {
  const Parameters parameters;
  ParameterReader reader("ResizeImage", parameters, "");
  base::Random random(0);
  EXPECT_EQ(Interpolation::read(reader).flag(random), cv::INTER_LINEAR);
  EXPECT_EQ(random.position(), 0U) << "a fixed filter draws nothing";
}

TEST(Interpolation, DrawsFromFourFilters) {
  std::set<int> drawn;
  for (std::uint64_t seed = 0; seed < 100; ++seed) drawn.insert(flag_of("random", seed));
  EXPECT_EQ(drawn,
            (std::set<int>{cv::INTER_NEAREST, cv::INTER_LINEAR, cv::INTER_CUBIC, cv::INTER_AREA}));
}

TEST(Backend, RefusesTheOtherLibrary) {
  const Parameters parameters{{"backend", std::string("pil")}};
  ParameterReader reader("ResizeImage", parameters, "");
  kit::expect_unsupported([&] { require_opencv_backend(reader); },
                          "the image backend 'pil' is not supported");
}

TEST(RequireHwc, SaysWhatToMove) {
  EXPECT_EQ(require_hwc(Layout::Hwc, "CropImage"), Layout::Hwc);
  kit::expect_user_error([] { (void)require_hwc(Layout::Encoded, "CropImage"); },
                         "CropImage needs decoded pixels: put DecodeImage first");
  kit::expect_user_error([] { (void)require_hwc(Layout::Chw, "CropImage"); },
                         "CropImage needs pixels in HWC order");
}

}  // namespace
}  // namespace espalier::data
