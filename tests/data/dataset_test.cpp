#include "espalier/data/dataset.h"

#include <gmock/gmock.h>

#include "espalier/base/file.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/test_data.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

TEST(OpenDataset, KnowsItsNames) {
  EXPECT_THAT(dataset_names(), testing::ElementsAre("ImageNetDataset", "ImageFolder",
                                                    "FashionMNIST", "IDX", "Synthetic"));
}

TEST(OpenDataset, EveryNameIsInThePageOnDataFiles) {
  const std::string page = base::read_file(kit::documentation_page("data.md"));
  for (const std::string& name : dataset_names()) {
    EXPECT_THAT(page, testing::HasSubstr("| `" + name + "` |"));
  }
}

TEST(OpenDataset, RefusesUnknownNamesAndKeys) {
  expect_user_error(
      [] { (void)open_dataset({.name = "ImageNetDateset", .where = "a.yaml:2"}); },
      "unknown data set 'ImageNetDateset': a.yaml:2 (did you mean 'ImageNetDataset')");
  for (const std::string& name : dataset_names()) {
    DatasetConfig config{.name = name, .parameters = {{"zzz", true}}, .where = "a.yaml:2"};
    // Keys that must be there come first in some data sets.
    for (const char* key : {"image_root", "cls_label_path", "root", "images"}) {
      const bool wanted = (name == "ImageNetDataset" && std::string_view(key).size() > 6) ||
                          (name == "ImageFolder" && std::string_view(key) == "root") ||
                          (name == "IDX" && std::string_view(key) == "images");
      if (wanted) config.parameters[key] = std::string("/nowhere");
    }
    expect_user_error([&] { (void)open_dataset(config); },
                      "unknown key 'zzz': a.yaml:2 (" + name + ")");
  }
}

}  // namespace
}  // namespace espalier::data
