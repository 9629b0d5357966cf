#include "espalier/data/transform.h"

#include <gmock/gmock.h>

#include "espalier/base/file.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/test_data.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

TEST(MakeTransform, KnowsItsNames) {
  EXPECT_THAT(
      transform_names(),
      testing::ElementsAre("DecodeImage", "ResizeImage", "CropImage", "RandCropImage",
                           "PaddedRandCrop", "RandFlipImage", "NormalizeImage", "ToCHWImage"));
}

TEST(MakeTransform, EveryNameIsInThePageOnDataFiles) {
  const std::string page = base::read_file(kit::documentation_page("data.md"));
  for (const std::string& name : transform_names()) {
    EXPECT_THAT(page, testing::HasSubstr("| `" + name + "` |"));
  }
}

TEST(MakeTransform, RefusesUnknownNames) {
  expect_user_error([] { (void)make_transform({.name = "RandFlipImag", .where = "a.yaml:9"}); },
                    "unknown transform 'RandFlipImag': a.yaml:9 (did you mean 'RandFlipImage')");
  expect_user_error([] { (void)make_transform({.name = "Mixup"}); },
                    "unknown transform 'Mixup' (known: DecodeImage, ResizeImage");
}

TEST(MakeTransform, RefusesUnknownKeysOfEveryTransform) {
  for (const std::string& name : transform_names()) {
    TransformConfig config{.name = name, .parameters = {{"zzz", true}}, .where = "a.yaml:9"};
    if (name == "ResizeImage") config.parameters["size"] = std::int64_t{8};
    expect_user_error([&] { (void)make_transform(config); },
                      "unknown key 'zzz': a.yaml:9 (" + name + ")");
  }
}

}  // namespace
}  // namespace espalier::data
