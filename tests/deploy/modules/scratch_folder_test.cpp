#include "espalier/deploy/modules/scratch_folder.h"

#include <fstream>

#include <gtest/gtest.h>

namespace espalier::deploy {
namespace {

TEST(ScratchFolderOf, GoesWithItsFiles) {
  std::filesystem::path path;
  {
    const ScratchFolder folder;
    path = folder.path();
    std::ofstream(path / "file") << "x";
    EXPECT_TRUE(std::filesystem::exists(path / "file"));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ScratchFolderOf, EachHasItsOwn) {
  const ScratchFolder first;
  const ScratchFolder second;
  EXPECT_NE(first.path(), second.path());
}

}  // namespace
}  // namespace espalier::deploy
