#include "espalier/data/datasets/image_folder.h"

#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;
using kit::TemporaryFolder;

DatasetPtr open(const TemporaryFolder& folder) {
  return open_dataset({.name = "ImageFolder", .parameters = {{"root", folder.path().string()}}});
}

std::vector<std::pair<std::string, std::int64_t>> samples_of(const DatasetPtr& dataset) {
  std::vector<std::pair<std::string, std::int64_t>> samples;
  for (std::size_t i = 0; i < dataset->size(); ++i) {
    const Sample sample = dataset->read(i);
    samples.emplace_back(sample.encoded, sample.label);
  }
  return samples;
}

TEST(ImageFolder, TakesClassesFromSortedFolders) {
  const TemporaryFolder folder;
  folder.write("dog/2.PNG", "dog two");
  folder.write("dog/1.jpg", "dog one");
  folder.write("cat/deep/er/x.jpeg", "cat");
  folder.write("cat/notes.txt", "no image");
  folder.write(".git/x.png", "hidden");
  folder.write("readme.md", "no image");
  const DatasetPtr dataset = open(folder);
  using Pair = std::pair<std::string, std::int64_t>;
  EXPECT_THAT(samples_of(dataset),
              testing::ElementsAre(Pair{"cat", 0}, Pair{"dog one", 1}, Pair{"dog two", 1}));
  EXPECT_THAT(dataset->class_names(), testing::ElementsAre("cat", "dog"));
  EXPECT_EQ(dataset->num_classes(), 2);
  EXPECT_EQ(dataset->describe(1), "'" + folder.file("dog/1.jpg") + "'");
}

TEST(ImageFolder, KeepsTheNumberOfAnEmptyClass) {
  const TemporaryFolder folder;
  folder.write("a/1.png", "x");
  folder.write("b/none.txt", "x");
  folder.write("c/1.png", "y");
  EXPECT_EQ(open(folder)->read(1).label, 2);
}

TEST(ImageFolder, TakesAFlatFolderWithoutLabels) {
  const TemporaryFolder folder;
  folder.write("b.png", "two");
  folder.write("a.bmp", "one");
  const DatasetPtr dataset = open(folder);
  using Pair = std::pair<std::string, std::int64_t>;
  EXPECT_THAT(samples_of(dataset), testing::ElementsAre(Pair{"one", -1}, Pair{"two", -1}));
  EXPECT_EQ(dataset->num_classes(), 0);
}

TEST(ImageFolder, FollowsLinksButNotInCircles) {
  const TemporaryFolder folder;
  const TemporaryFolder elsewhere;
  elsewhere.write("1.png", "linked");
  std::filesystem::create_directory_symlink(elsewhere.path(), folder.path() / "class");
  EXPECT_EQ(open(folder)->read(0).encoded, "linked");
  std::filesystem::create_directory_symlink(elsewhere.path(), elsewhere.path() / "again");
  expect_user_error([&] { (void)open(folder); }, "more than 16 levels of folders");
}

TEST(ImageFolder, RefusesWhatHoldsNoImages) {
  const TemporaryFolder folder;
  expect_user_error([&] { (void)open(folder); }, "the image folder '" + folder.path().string() +
                                                     "' holds no image: expected files");
  folder.write("a/x.txt", "text");
  expect_user_error([&] { (void)open(folder); }, "holds no image");
  expect_user_error(
      [] {
        (void)open_dataset(
            {.name = "ImageFolder", .parameters = {{"root", std::string("/no/where")}}});
      },
      "cannot list the image folder '/no/where': got No such file or directory");
}

TEST(ImageFolder, RefusesAMixture) {
  const TemporaryFolder folder;
  folder.write("a/1.png", "x");
  folder.write("2.png", "y");
  expect_user_error(
      [&] { (void)open(folder); },
      "' is ambiguous: got images beside class folders, such as '2.png', expected either "
      "images or one folder a class");
}

}  // namespace
}  // namespace espalier::data
