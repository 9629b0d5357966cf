#include "espalier/train/resume.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

/// A state in which the best top-1 of epoch 1 was a half.
TrainState with_best() {
  TrainState state;
  state.best_metric = "top1";
  state.best_value = 0.5;
  state.best_epoch = 1;
  return state;
}

TEST(Resume, TakesOverWhereTheRunStoodAndKeepsWhatItWasAskedToBe) {
  TrainState saved = with_best();
  saved.epoch = 2;
  saved.step_in_epoch = 3;
  saved.data_offset = 48;
  saved.step = 11;
  saved.seed = 1;
  saved.optimizer = "sgd momentum 0.9";
  TrainState state;
  state.seed = 2;
  state.optimizer = "adam";
  state.best_metric = "top1";
  take_over(saved, state);
  EXPECT_EQ(state.epoch, 2);
  EXPECT_EQ(state.step_in_epoch, 3);
  EXPECT_EQ(state.data_offset, 48);
  EXPECT_EQ(state.step, 11);
  EXPECT_EQ(state.seed, 2U);
  EXPECT_EQ(state.optimizer, "adam");
  EXPECT_EQ(state.best_epoch, 1);
  EXPECT_EQ(state.best_value, 0.5);
}

TEST(Resume, TheBestOfAnotherMetricDoesNotCount) {
  TrainState state;
  state.best_metric = "loss";
  take_over(with_best(), state);
  EXPECT_EQ(state.best_epoch, 0);
}

TEST(Resume, FindsTheTensorsOfAProgram) {
  const ir::Graph graph = synthetic_model(3);
  const exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  const exec::TensorMap tensors = matching_tensors(graph, program);
  EXPECT_EQ(tensors.size(), program.parameters().size() + program.buffers().size());
  EXPECT_THAT(tensors.at("head.weight"),
              kit::HasSameBits(graph.find_value("head.weight")->constant()));
  kit::expect_user_error(
      [&] { (void)matching_tensors(ir::Graph(), program); },
      "the checkpoint is of another model: parameter 'conv.weight': got nothing, "
      "expected its values");
}

}  // namespace
}  // namespace espalier::train
