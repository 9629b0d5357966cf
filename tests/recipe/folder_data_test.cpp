#include "espalier/recipe/folder_data.h"

#include <gmock/gmock.h>

#include "espalier/data/loader.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

/// A grey level for every pixel: no two neighbours are alike.
int level(int x, int y) {
  return (37 * x + 59 * y) % 256;
}

std::string grey_picture(int width, int height) {
  std::string bytes = "P5\n" + std::to_string(width) + " " + std::to_string(height) + "\n255\n";
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) bytes += static_cast<char>(level(x, y));
  }
  return bytes;
}

Tensor first_image(const DataSplits& splits) {
  data::Loader loader = data::make_loader(splits.for_evaluation(), 0);
  loader.start();
  return loader.next()->images[0];
}

/// A model of one image input whose shape is written in ONNX's text form.
std::filesystem::path model_of(const kit::TemporaryFolder& folder, const std::string& shape) {
  onnx::save(
      onnx::parse("agraph (float[" + shape + "] x) => (float[" + shape + "] y) { y = Relu (x) }"),
      folder.path() / "m.onnx");
  return folder.path() / "m.onnx";
}

TEST(FolderData, ImagesOfTheSizeKeepTheirPixels) {
  const kit::TemporaryFolder folder;
  folder.write("a.pgm", grey_picture(32, 32));
  const FolderOptions options{
      .mean = {0}, .std_deviation = {1}, .height = 32, .width = 32, .channels = 1};
  const Tensor image = first_image(open_data(folder.path(), options));
  ASSERT_EQ(image.sizes(), (std::vector<std::int64_t>{1, 32, 32}));
  for (int y = 0; y < 32; ++y) {
    for (int x = 0; x < 32; ++x) {
      ASSERT_NEAR(image[0][y][x].item<float>(), static_cast<float>(level(x, y)) / 255.0F, 1e-6F);
    }
  }
}

TEST(FolderData, SmallImagesLoseNoBorderOnTheShorterSide) {
  const kit::TemporaryFolder folder;
  folder.write("a.pgm", grey_picture(36, 32));
  const FolderOptions options{
      .mean = {0}, .std_deviation = {1}, .height = 32, .width = 32, .channels = 1};
  const Tensor image = first_image(open_data(folder.path(), options));
  // The shorter side has the size: columns 2 to 33 of the 36 stay.
  EXPECT_NEAR(image[0][5][0].item<float>(), static_cast<float>(level(2, 5)) / 255.0F, 1e-6F);
}

TEST(FolderData, LargeImagesAreResizedAndCut) {
  const auto transforms = folder_transforms({});
  ASSERT_EQ(transforms.size(), 5U);
  EXPECT_EQ(std::get<std::int64_t>(transforms[1].parameters.at("resize_short")), 256);
  EXPECT_EQ(std::get<std::int64_t>(transforms[1].parameters.at("keep_size")), 224);
  EXPECT_EQ(std::get<std::int64_t>(transforms[2].parameters.at("size")), 224);
  EXPECT_EQ(describe_transforms({}),
            "RGB images of 224 x 224 as they are, others: shorter side to 256, centre cut out; "
            "mean 0.485 0.456 0.406 (the default), deviation 0.229 0.224 0.225 (the default)");
}

TEST(FolderData, TheModelGivesSizeAndChannels) {
  const kit::TemporaryFolder folder;
  const kit::TemporaryFolder images;
  images.write("a.pgm", grey_picture(50, 40));
  const FolderOptions grey = fit_to_model({}, model_of(folder, "N, 1, 28, 28"));
  EXPECT_EQ(first_image(open_data(images.path(), grey)).sizes(),
            (std::vector<std::int64_t>{1, 28, 28}));
  EXPECT_THAT(describe_transforms(grey), testing::StartsWith("grey images of 28 x 28"));
  const FolderOptions wide = fit_to_model({}, model_of(folder, "N, 3, 24, 40"));
  EXPECT_EQ(first_image(open_data(images.path(), wide)).sizes(),
            (std::vector<std::int64_t>{3, 24, 40}));
  const FolderOptions open = fit_to_model({}, model_of(folder, "N, 3, H, W"));
  EXPECT_EQ(first_image(open_data(images.path(), open)).sizes(),
            (std::vector<std::int64_t>{3, 224, 224}));
  const FolderOptions asked =
      fit_to_model({.height = 16, .width = 16}, model_of(folder, "N, 3, H, W"));
  EXPECT_EQ(first_image(open_data(images.path(), asked)).sizes(),
            (std::vector<std::int64_t>{3, 16, 16}));
  // With the channels last: the images are its own, and what takes them says what is wrong.
  const FolderOptions last = fit_to_model({}, model_of(folder, "N, 28, 32, 3"));
  EXPECT_EQ(first_image(open_data(images.path(), last)).sizes(),
            (std::vector<std::int64_t>{3, 28, 32}));
  kit::expect_user_error([&] { (void)fit_to_model({}, folder.path() / "no.onnx"); }, "no.onnx");
}

TEST(FolderData, AFolderWithoutImagesIsRefused) {
  const kit::TemporaryFolder folder;
  const DataSplits splits = open_data(folder.path(), {});
  kit::expect_user_error([&] { (void)data::open_dataset(splits.only->dataset); }, "holds no image");
}

TEST(FolderData, SubFoldersAreClasses) {
  const kit::TemporaryFolder folder;
  folder.write("cat/a.png", "x");
  folder.write("dog/b.png", "x");
  const DataSplits splits = open_data(folder.path(), {});
  EXPECT_EQ(data::open_dataset(splits.for_evaluation().dataset)->class_names(),
            (std::vector<std::string>{"cat", "dog"}));
}

}  // namespace
}  // namespace espalier::recipe
