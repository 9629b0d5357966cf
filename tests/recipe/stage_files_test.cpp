#include "espalier/recipe/stage_files.h"

#include <gmock/gmock.h>

#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

TEST(StageFiles, LaterStagesAreForgotten) {
  const kit::TemporaryFolder folder;
  for (const char* name :
       {"stage-0.espalier", "stage-1.espalier", "stage-2.espalier", "stage-0/best.espalier",
        "stage-1/best.espalier", "stage-10/best.espalier", "stage-x.espalier", "notes.txt"}) {
    folder.write(std::string("checkpoints/") + name, "x");
  }
  const auto left = [&] {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "checkpoints")) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  };
  forget_from(folder.path(), {.stage = 1});
  EXPECT_THAT(left(), testing::UnorderedElementsAre("stage-0.espalier", "stage-0", "stage-1",
                                                    "stage-x.espalier", "notes.txt"));
  EXPECT_EQ(stage_file(folder.path(), {.stage = 0}),
            folder.path() / "checkpoints/stage-0.espalier");
  EXPECT_EQ(stage_folder({.stage = 1}), "checkpoints/stage-1");
  forget_all(folder.path());
  EXPECT_THAT(left(), testing::UnorderedElementsAre("stage-x.espalier", "notes.txt"));
}

TEST(StageFiles, APartTakesItsStageAndLaterPartsAlong) {
  const kit::TemporaryFolder folder;
  for (const char* name :
       {"stage-0.espalier", "stage-1.espalier", "stage-1.json", "stage-1-1.espalier",
        "stage-1-2.espalier", "stage-1-1/best.espalier", "stage-1-2/best.espalier",
        "stage-1-3/best.espalier", "stage-2.json", "stage-2.yaml"}) {
    folder.write(std::string("checkpoints/") + name, "x");
  }
  forget_from(folder.path(), {.stage = 1, .part = 2});
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path() / "checkpoints")) {
    left.push_back(entry.path().filename().string());
  }
  EXPECT_THAT(left, testing::UnorderedElementsAre("stage-0.espalier", "stage-1-1.espalier",
                                                  "stage-1-1", "stage-1-2"));
  EXPECT_EQ(stage_facts({.stage = 1, .part = 2}), "checkpoints/stage-1-2.json");
}

TEST(StageFiles, TheStateBeforeTheFirstStepIsNoTraining) {
  const kit::TemporaryFolder folder;
  EXPECT_FALSE(holds_training(folder.path()));
  folder.write("checkpoints/stage-0/step-00000000.espalier", "x");
  EXPECT_FALSE(holds_training(folder.path()));
  folder.write("checkpoints/stage-0/step-00000003.espalier", "x");
  EXPECT_TRUE(holds_training(folder.path()));
  const kit::TemporaryFolder finished;
  finished.write("checkpoints/stage-1.espalier", "x");
  EXPECT_TRUE(holds_training(finished.path()));
}

}  // namespace
}  // namespace espalier::recipe
