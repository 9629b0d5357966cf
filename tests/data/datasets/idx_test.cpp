#include "espalier/data/datasets/idx.h"

#include <gmock/gmock.h>

#include "tests/data/idx_content.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;
using kit::TemporaryFolder;

DatasetPtr open_idx_files(const TemporaryFolder& folder, const std::string& images,
                          const std::string& labels, Parameters more = {}) {
  more["images"] = folder.write("images", images);
  if (!labels.empty()) more["labels"] = folder.write("labels", labels);
  return open_dataset({.name = "IDX", .parameters = std::move(more)});
}

TEST(Idx, ReadsGreyImages) {
  const TemporaryFolder folder;
  const DatasetPtr dataset = open_idx_files(folder, idx_content({2, 2, 3}, "abcdefABCDEF"),
                                            idx_content({2}, std::string("\x04\x01", 2)));
  ASSERT_EQ(dataset->size(), 2U);
  const Sample sample = dataset->read(1);
  EXPECT_EQ(sample.label, 1);
  EXPECT_EQ(sample.pixels.height, 2);
  EXPECT_EQ(sample.pixels.width, 3);
  EXPECT_EQ(sample.pixels.channels, 1);
  EXPECT_THAT(sample.pixels.bytes, testing::ElementsAre('A', 'B', 'C', 'D', 'E', 'F'));
  EXPECT_EQ(dataset->num_classes(), 5);
  EXPECT_FALSE(dataset->encoded());
  EXPECT_EQ(dataset->describe(1), "image 1 of '" + folder.file("images") + "'");
}

TEST(Idx, ReadsColourImagesWithoutLabels) {
  const TemporaryFolder folder;
  const DatasetPtr dataset = open_idx_files(folder, idx_content({1, 1, 2, 3}, "rgbRGB"), "");
  EXPECT_EQ(dataset->read(0).pixels.channels, 3);
  EXPECT_EQ(dataset->read(0).label, -1);
  EXPECT_EQ(dataset->num_classes(), 0);
}

TEST(Idx, RefusesFilesThatDoNotFitEachOther) {
  const TemporaryFolder folder;
  const std::string images = idx_content({2, 1, 1}, "ab");
  expect_user_error([&] { (void)open_idx_files(folder, images, idx_content({3}, "abc")); },
                    "labels' does not fit: got 3 labels, expected 2, one an image");
  expect_user_error([&] { (void)open_idx_files(folder, images, images); },
                    "labels' does not fit: got 3 dimensions, expected 1 for labels");
  expect_user_error([&] { (void)open_idx_files(folder, idx_content({2}, "ab"), ""); },
                    "images' does not fit: got 1 dimensions, expected 3 (images, height, width)");
  expect_user_error(
      [&] {
        (void)open_idx_files(folder, idx_content({1, 1, 1, 2}, "ab"), "");
      },
      "images' does not fit: got 4 dimensions");
  expect_user_error(
      [&] {
        (void)open_idx_files(folder, images, idx_content({2}, std::string("\x00\x07", 2)),
                             {{"num_classes", std::int64_t{7}}});
      },
      "labels' does not fit: got label 7 of image 1, expected a class in 0..6");
}

TEST(FashionMnist, FindsItsFilesPlainOrCompressed) {
  const TemporaryFolder folder;
  folder.write("train-images-idx3-ubyte", idx_content({1, 28, 28}, std::string(784, 'x')));
  folder.write("train-labels-idx1-ubyte", idx_content({1}, std::string("\x09", 1)));
  folder.write("t10k-images-idx3-ubyte", idx_content({2, 28, 28}, std::string(1568, 'y')));
  folder.write("t10k-labels-idx1-ubyte", idx_content({2}, std::string("\x01\x0a", 2)));
  const auto open = [&](const std::string& split) {
    return open_dataset({.name = "FashionMNIST",
                         .parameters = {{"root", folder.path().string()}, {"split", split}}});
  };
  const DatasetPtr dataset = open("train");
  EXPECT_EQ(dataset->read(0).label, 9);
  EXPECT_EQ(dataset->num_classes(), 10);
  EXPECT_EQ(dataset->class_names().at(9), "Ankle boot");
  expect_user_error([&] { (void)open("test"); },
                    "got label 10 of image 1, expected a class in 0..9");
  expect_user_error(
      [&] { (void)open("validation"); },
      "bad value of 'split': FashionMNIST: got 'validation', expected one of 'train', 'test'");
}

TEST(FashionMnist, SaysWhatToInstall) {
  const TemporaryFolder folder;
  expect_user_error(
      [&] {
        (void)open_dataset(
            {.name = "FashionMNIST", .parameters = {{"root", folder.path().string()}}});
      },
      "Fashion-MNIST is not there: got no file '" + folder.file("train-images-idx3-ubyte.gz") +
          "' (install the Debian package dataset-fashion-mnist, or set 'root')");
}

}  // namespace
}  // namespace espalier::data
