#include "espalier/train/checkpoint_folder.h"

#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

using ::testing::ElementsAre;

Checkpoint at_step(std::int64_t step) {
  Checkpoint checkpoint{.graph = synthetic_model(1), .state = TrainState{}};
  checkpoint.state->step = step;
  return checkpoint;
}

TEST(CheckpointFolder, SaysThatOnlyTheBestIsLeft) {
  const kit::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path(), 2);
  checkpoints.save_best(at_step(10));
  testing::internal::CaptureStderr();
  EXPECT_FALSE(checkpoints.latest().has_value());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              testing::HasSubstr("no checkpoint of a step is left beside"));
}

TEST(CheckpointFolder, KeepsTheNewestFew) {
  const kit::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path(), 2);
  EXPECT_FALSE(checkpoints.latest().has_value());
  for (const std::int64_t step : {5, 10, 20}) checkpoints.save(at_step(step));
  checkpoints.save_best(at_step(10));
  EXPECT_THAT(folder.files(),
              ElementsAre("best.espalier", "step-00000010.espalier", "step-00000020.espalier"));
  EXPECT_EQ(checkpoints.latest()->state->step, 20);
  EXPECT_EQ(read_checkpoint(checkpoints.best_path()).state->step, 10);
}

TEST(CheckpointFolder, ARunThatStartsAnewReplacesLaterSteps) {
  const kit::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path(), 2);
  for (const std::int64_t step : {30, 40}) checkpoints.save(at_step(step));
  checkpoints.save(at_step(5));
  EXPECT_THAT(folder.files(), ElementsAre("step-00000005.espalier"));
}

TEST(CheckpointFolder, FallsBackToThePreviousGoodOne) {
  const kit::TemporaryFolder folder;
  const CheckpointFolder checkpoints(folder.path(), 3);
  for (const std::int64_t step : {1, 2, 3}) checkpoints.save(at_step(step));
  const std::string whole = folder.read("step-00000003.espalier");
  folder.write("step-00000003.espalier", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(checkpoints.latest()->state->step, 2);
  folder.write("step-00000002.espalier", "");
  EXPECT_EQ(checkpoints.latest()->state->step, 1);
  // A model without a training state cannot be resumed.
  write_checkpoint(folder.file("step-00000001.espalier"), {.graph = synthetic_model(1)});
  kit::expect_user_error([&] { (void)checkpoints.latest(); }, "no readable checkpoint among 3");
}

TEST(CheckpointFolder, SortsByNumberAndIgnoresOtherFiles) {
  const kit::TemporaryFolder folder;
  for (const char* name : {"step-9.espalier", "step-10.espalier", "step-.espalier",
                           "step-x.espalier", "step--1.espalier", "notes.txt", "best.espalier"}) {
    folder.write(name, "");
  }
  std::vector<std::string> names;
  for (const auto& path : CheckpointFolder(folder.path(), 1).files()) {
    names.push_back(path.filename().string());
  }
  EXPECT_THAT(names, ElementsAre("step-9.espalier", "step-10.espalier"));
}

TEST(CheckpointFolder, RemovesOnlyLeftoversOfItsOwn) {
  const kit::TemporaryFolder folder;
  for (const char* name : {"step-1.espalier.partial-77", "best.espalier.partial-9",
                           "model.onnx.partial-7", "step-1.espalier"}) {
    folder.write(name, "x");
  }
  CheckpointFolder(folder.path(), 1).remove_leftovers();
  EXPECT_THAT(folder.files(), ElementsAre("model.onnx.partial-7", "step-1.espalier"));
}

TEST(CheckpointFolder, RefusesToKeepNone) {
  kit::expect_user_error([] { CheckpointFolder("x", 0); },
                         "checkpoints to keep: got 0, expected 1 or more");
}

}  // namespace
}  // namespace espalier::train
