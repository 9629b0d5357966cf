#include "espalier/data/datasets/image_net.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;
using kit::TemporaryFolder;

DatasetPtr open(const TemporaryFolder& folder, const std::string& list, BadSamples policy = {},
                Parameters more = {}) {
  folder.write("list.txt", list);
  more["image_root"] = std::string("images");
  more["cls_label_path"] = std::string("list.txt");
  return open_dataset(
      {.name = "ImageNetDataset", .parameters = std::move(more), .folder = folder.path()}, policy);
}

TEST(ImageNetDataset, ReadsFilesOfTheList) {
  const TemporaryFolder folder;
  folder.write("images/a.jpg", "first");
  folder.write("images/\u00e4/b c.jpg", "second");
  const DatasetPtr dataset = open(folder, "a.jpg 4\r\n\u00e4/b c.jpg 0\n");
  ASSERT_EQ(dataset->size(), 2U);
  EXPECT_EQ(dataset->read(0).encoded, "first");
  EXPECT_EQ(dataset->read(0).label, 4);
  EXPECT_EQ(dataset->read(1).encoded, "second");
  EXPECT_EQ(dataset->describe(1), folder.file("list.txt") + ":2 '\u00e4/b c.jpg'");
  EXPECT_EQ(dataset->num_classes(), 5);
  EXPECT_TRUE(dataset->encoded());
}

TEST(ImageNetDataset, ChecksLabelsAgainstTheClasses) {
  const TemporaryFolder folder;
  folder.write("images/a.jpg", "first");
  EXPECT_EQ(open(folder, "a.jpg 4\n", {}, {{"num_classes", std::int64_t{10}}})->num_classes(), 10);
  expect_user_error(
      [&] {
        (void)open(folder, "a.jpg 4\n", {}, {{"num_classes", std::int64_t{4}}});
      },
      "list.txt:1: got label '4', expected a class in 0..3");
}

TEST(ImageNetDataset, NamesAMissingImageWhenItIsOpened) {
  const TemporaryFolder folder;
  folder.write("images/a.jpg", "first");
  expect_user_error([&] { (void)open(folder, "a.jpg 1\nb.jpg 2\n"); },
                    "the image file is missing: " + folder.file("list.txt") +
                        ":2: got 'b.jpg', expected "
                        "a file in '" +
                        folder.file("images") + "' (check 'image_root')");
  std::filesystem::create_directory(folder.path() / "images/b.jpg");
  expect_user_error([&] { (void)open(folder, "a.jpg 1\nb.jpg 2\n"); }, "the image file is missing");
}

TEST(ImageNetDataset, LeavesOutWhatIsMissingOnRequest) {
  const TemporaryFolder folder;
  folder.write("images/a.jpg", "first");
  folder.write("images/c.jpg", "third");
  const DatasetPtr dataset =
      open(folder, "b.jpg 2\na.jpg 1\nnonsense\nc.jpg 3\n", BadSamples::Skip);
  ASSERT_EQ(dataset->size(), 2U);
  EXPECT_EQ(dataset->num_skipped(), 2U);
  EXPECT_EQ(dataset->read(0).encoded, "first");
  EXPECT_EQ(dataset->describe(1), folder.file("list.txt") + ":4 'c.jpg'");
}

TEST(ImageNetDataset, RefusesAListOfMissingImages) {
  const TemporaryFolder folder;
  folder.write("images/a.jpg", "first");
  expect_user_error([&] { (void)open(folder, "x.jpg 1\ny.jpg 2\n", BadSamples::Skip); },
                    "no image of the list exists");
}

TEST(ImageNetDataset, NamesAFileThatVanished) {
  const TemporaryFolder folder;
  folder.write("images/a.jpg", "first");
  const DatasetPtr dataset = open(folder, "\na.jpg 1\n");
  std::filesystem::remove(folder.path() / "images/a.jpg");
  expect_user_error([&] { (void)dataset->read(0); }, folder.file("list.txt") + ":2: cannot read");
}

TEST(ImageNetDataset, RefusesMissingFoldersAndLists) {
  const TemporaryFolder folder;
  const auto refuse = [&](const Parameters& parameters, std::string_view text) {
    expect_user_error(
        [&] {
          (void)open_dataset(
              {.name = "ImageNetDataset", .parameters = parameters, .folder = folder.path()});
        },
        text);
  };
  refuse({}, "'image_root' is missing: ImageNetDataset: expected a path");
  refuse({{"image_root", std::string("x")}}, "'cls_label_path' is missing");
  refuse({{"image_root", std::string("no-such-folder")}, {"cls_label_path", std::string("x")}},
         "the image folder does not exist: image_root: got 'no-such-folder', expected a folder");
  refuse({{"image_root", folder.path().string()}, {"cls_label_path", std::string("no-such-list")}},
         "cannot read 'no-such-list'");
}

}  // namespace
}  // namespace espalier::data
