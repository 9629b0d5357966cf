#include "espalier/deploy/modules/scratch_folder.h"

#include <fstream>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

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

TEST(ScratchFolderOf, SweepsUpBehindProcessesThatWereKilled) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const auto folder = std::filesystem::temp_directory_path();
  const auto left = folder / ("espalier-engine-" + std::to_string(child) + "-abcdef");
  const auto other = folder / ("espalier-engine-x" + std::to_string(child) + "-abcdef");
  for (const auto& path : {left, other}) {
    std::filesystem::create_directory(path);
    std::ofstream(path / "optimized.onnx") << "x";
  }
  const ScratchFolder mine;
  const ScratchFolder again;
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_TRUE(std::filesystem::exists(other)) << "not a name of ours";
  EXPECT_TRUE(std::filesystem::exists(mine.path())) << "its process lives";
  std::filesystem::remove_all(other);
}

}  // namespace
}  // namespace espalier::deploy
