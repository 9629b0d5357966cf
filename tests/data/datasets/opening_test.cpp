#include "espalier/data/datasets/opening.h"

#include <gtest/gtest.h>

#include "tests/kit/temporary_folder.h"

namespace espalier::data {
namespace {

TEST(Opening, FindsPathsBesideTheDataFile) {
  const kit::TemporaryFolder folder;
  folder.write("inside/list.txt", "x");
  const Parameters parameters;
  ParameterReader reader("ImageFolder", parameters, "");
  const Opening opening{.parameters = reader, .folder = folder.path()};
  EXPECT_EQ(opening.resolve("inside/list.txt"), folder.path() / "inside/list.txt");
  EXPECT_EQ(opening.resolve(folder.file("inside")), folder.file("inside")) << "absolute";
  EXPECT_EQ(opening.resolve("nowhere.txt"), "nowhere.txt") << "as it was written, for the message";
}

TEST(Opening, PrefersTheWorkingFolder) {
  const kit::TemporaryFolder folder;
  folder.write("CMakeLists.txt", "x");
  const Parameters parameters;
  ParameterReader reader("ImageFolder", parameters, "");
  const Opening opening{.parameters = reader, .folder = folder.path()};
  const bool here = std::filesystem::exists("CMakeLists.txt");
  EXPECT_EQ(opening.resolve("CMakeLists.txt"),
            here ? std::filesystem::path("CMakeLists.txt") : folder.path() / "CMakeLists.txt");
}

}  // namespace
}  // namespace espalier::data
