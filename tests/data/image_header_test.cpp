#include "espalier/data/image_header.h"

#include <gtest/gtest.h>

#include "tests/data/pictures.h"
#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

const Picture kImageHeaderPicture{.height = 20, .width = 30};

struct Case {
  const char* extension;
  ImageFormat format;
};

class EveryFormat : public testing::TestWithParam<Case> {};

TEST_P(EveryFormat, IsRecognizedByContent) {
  const ImageHeader header = check_image_header(kImageHeaderPicture.encode(GetParam().extension));
  EXPECT_EQ(header.format, GetParam().format);
  EXPECT_EQ(header.width, 30);
  EXPECT_EQ(header.height, 20);
}

INSTANTIATE_TEST_SUITE_P(
    ImageHeader, EveryFormat,
    testing::Values(Case{".jpg", ImageFormat::Jpeg}, Case{".png", ImageFormat::Png},
                    Case{".bmp", ImageFormat::Bmp}, Case{".webp", ImageFormat::Webp},
                    Case{".ppm", ImageFormat::Netpbm}, Case{".tiff", ImageFormat::Tiff}));

TEST(ImageHeader, FindsWhereAJpegIsCutOff) {
  const std::string whole = kImageHeaderPicture.encode(".jpg");
  for (std::size_t size = 3; size + 1 < whole.size(); ++size) {
    expect_user_error([&] { (void)check_image_header(whole.substr(0, size)); },
                      "the image file is cut off");
  }
  expect_user_error([&] { (void)check_image_header(whole.substr(0, 300)); },
                    "got 300 bytes without the end of the JPEG data");
  EXPECT_EQ(check_image_header(whole + "trailing bytes").width, 30);
}

TEST(ImageHeader, FindsWhereAPngIsCutOff) {
  const std::string whole = kImageHeaderPicture.encode(".png");
  for (std::size_t size = 8; size + 4 < whole.size(); size += 3) {
    expect_user_error([&] { (void)check_image_header(whole.substr(0, size)); },
                      "without the end of the PNG data");
  }
}

TEST(ImageHeader, RefusesWhatIsNoImage) {
  expect_user_error([] { (void)check_image_header(""); },
                    "the file is no image: got an empty file, expected JPEG, PNG, BMP");
  expect_user_error([] { (void)check_image_header("<html>not found</html>"); },
                    "the file is no image: got unknown content");
  expect_user_error([] { (void)check_image_header("GIF89a"); }, "the file is no image");
  expect_user_error([] { (void)check_image_header("P5"); }, "the file is no image");
}

TEST(ImageHeader, RefusesSizesThatASmallFileOnlyClaims) {
  std::string png = kImageHeaderPicture.encode(".png");
  png.replace(16, 8, std::string("\x7f\xff\xff\xff\x7f\xff\xff\xff", 8));
  expect_user_error([&] { (void)check_image_header(png); },
                    "the image has an impossible size: got 2147483647 x 2147483647");
  png.replace(16, 8, std::string(8, '\0'));
  expect_user_error([&] { (void)check_image_header(png); }, "got 0 x 0, expected at least 1 x 1");
  expect_user_error([] { (void)check_image_header("P6\n# 1 1\n70000 70000\n255\n"); },
                    "the image has an impossible size: got 70000 x 70000");
  expect_user_error([] { (void)check_image_header("P5 99999999999999999999 1 255 "); },
                    "impossible size");
  // One directory with width and height, big-endian, 32 bits each.
  const std::string tiff("MM\0*\0\0\0\10\0\2\1\0\0\4\0\0\0\1\0\1\0\0\1\1\0\4\0\0\0\1\0\1\0\0", 34);
  expect_user_error([&] { (void)check_image_header(tiff); }, "got 65536 x 65536");
  std::string bmp = kImageHeaderPicture.encode(".bmp");
  bmp.replace(22, 4, std::string("\x00\x00\x00\x80", 4));
  expect_user_error([&] { (void)check_image_header(bmp); }, "impossible size: got 30 x 2147483648");
}

}  // namespace
}  // namespace espalier::data
