#include "espalier/recipe/run_folder.h"

#include <filesystem>
#include <set>
#include <string>

#include <gtest/gtest.h>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

TEST(RunFolder, KeepsFilesAndLog) {
  const kit::TemporaryFolder folder;
  {
    const RunFolder run(folder.path() / "a" / "b");
    run.write("plan.yaml", "x: 1\n");
    EXPECT_TRUE(run.has("plan.yaml"));
    EXPECT_EQ(run.read("plan.yaml"), "x: 1\n");
    base::log_info("a line");
  }
  base::log_info("after the run");
  const std::string log = folder.read("a/b/log.txt");
  EXPECT_NE(log.find("a line"), std::string::npos);
  EXPECT_EQ(log.find("after the run"), std::string::npos);
}

TEST(RunFolder, RefusesAFileInItsPlace) {
  const kit::TemporaryFolder folder;
  const std::string file = folder.write("taken", "");
  kit::expect_user_error([&] { const RunFolder run{file}; }, "cannot create the output folder");
}

TEST(RunFolder, IsOneRunsAtATime) {
  const kit::TemporaryFolder folder;
  {
    const RunFolder first(folder.path() / "run");
    kit::expect_user_error(
        [&] { const RunFolder second(folder.path() / "run"); },
        "another run is at work in the folder '" + folder.file("run") + "': log.txt is locked");
    const RunFolder other(folder.path() / "other");
  }
  const RunFolder again(folder.path() / "run");
}

TEST(RunFolder, WritesAllFilesOrNone) {
  const kit::TemporaryFolder folder;
  const RunFolder run(folder.path() / "run");
  run.write("a", "old");
  const std::string too_long(300, 'n');
  kit::expect_user_error([&] { run.write_all({{"a", "new"}, {too_long, "x"}}); }, "too long");
  EXPECT_EQ(run.read("a"), "old");
  run.write_all({{"a", "new"}, {"b", "new"}});
  EXPECT_EQ(run.read("a") + run.read("b"), "newnew");
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"run/a", "run/b", "run/log.txt"}))
      << "nothing beside it";
}

TEST(RunFolder, AFailedBeginningLeavesItsLogAlone) {
  const kit::TemporaryFolder folder;
  const auto fail = [&](const std::string& name, const std::string& checkpoint) {
    try {
      const RunFolder run(folder.path() / name);
      run.write("config.yaml", "x: 1\n");
      std::filesystem::create_directories(run.path() / "checkpoints" / "stage-0");
      if (!checkpoint.empty()) run.write(checkpoint, "");
      throw base::UserError({.what = "no space"});
    } catch (const base::UserError&) {
    }
    std::set<std::string> left;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / name)) {
      left.insert(entry.path().filename().string());
    }
    return left;
  };
  EXPECT_EQ(fail("fresh", ""), std::set<std::string>{"log.txt"});
  const std::set<std::string> all{"checkpoints", "config.yaml", "log.txt"};
  EXPECT_EQ(fail("trained", "checkpoints/stage-0/1.espalier"), all);
  EXPECT_EQ(fail("trained", ""), all) << "what was there stays";
  std::filesystem::create_directories(folder.path() / "mine");
  folder.write("mine/notes.txt", "");
  EXPECT_EQ(fail("mine", ""),
            (std::set<std::string>{"checkpoints", "config.yaml", "log.txt", "notes.txt"}));
}

TEST(RunFolder, RemovesWhatAKilledRunLeft) {
  const kit::TemporaryFolder folder;
  folder.write("run/model.onnx.partial-123", "x");
  folder.write("run/notes.partial-draft", "of the user");
  folder.write("run/checkpoints/stage-0.espalier.partial-5", "x");
  folder.write("run/checkpoints/stage-0/before-quantization.espalier.partial-6", "x");
  folder.write("run.partial-77/model.onnx", "x");
  folder.write("other.partial-77/model.onnx", "of another run");
  const RunFolder run(folder.path() / "run");
  EXPECT_FALSE(run.has("model.onnx.partial-123"));
  EXPECT_FALSE(run.has("checkpoints/stage-0.espalier.partial-5"));
  EXPECT_FALSE(run.has("checkpoints/stage-0/before-quantization.espalier.partial-6"));
  EXPECT_TRUE(run.has("notes.partial-draft"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run.partial-77"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "other.partial-77"));
}

TEST(RunFolder, ThePathOfARunMeansItsModels) {
  const kit::TemporaryFolder folder;
  folder.write("model.onnx", "ships");
  EXPECT_EQ(trained_model(folder.path()), folder.path() / "model.onnx");
  folder.write("float.onnx", "was quantized");
  EXPECT_EQ(trained_model(folder.path()), folder.path() / "float.onnx");
  EXPECT_EQ(shipped_model(folder.path()), folder.path() / "model.onnx");
}

}  // namespace
}  // namespace espalier::recipe
