#include "espalier/train/state_text.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::train {
namespace {

TrainState sample() {
  TrainState state;
  state.epoch = 2;
  state.step_in_epoch = 7;
  state.data_offset = 448;
  state.step = 945;
  state.steps_per_epoch = 469;
  state.seed = 0xFFFFFFFFFFFFFFFFULL;
  state.optimizer = "sgd momentum 0.9";
  state.schedule = "cosine lr 0.1 to 0";
  state.best_metric = "top1";
  state.best_value = 0.1 + 0.2;
  state.best_epoch = 1;
  state.meters["loss"] = {.sum = 1.0 / 3.0, .weight = 448};
  state.history.push_back(
      {.epoch = 1, .training = {{"loss", 0.7}, {"top1", 5e-324}}, .evaluation = {{"top1", 0.9}}});
  state.history.push_back({.epoch = 2, .training = {{"loss", 0.5}}, .evaluation = {}});
  state.config = "a: \"quoted\"\nb: [1]\n";
  state.threads = 2;
  state.instruction_set = "AVX512";
  state.versions = {{"espalier", "0.1.0"}, {"libtorch", "2.11.0"}};
  return state;
}

TEST(StateText, ComesBackBitForBit) {
  const TrainState state = sample();
  const std::string text = state_to_text(state);
  EXPECT_EQ(state_from_text(text, "x"), state);
  EXPECT_EQ(state_to_text(state_from_text(text, "x")), text);
}

TEST(StateText, AnEmptyStateIsValid) {
  EXPECT_EQ(state_from_text(state_to_text({}), "x"), TrainState{});
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text = state_to_text(sample());
  const std::size_t place = text.find(from);
  EXPECT_NE(place, std::string::npos) << from;
  return text.replace(place, from.size(), to);
}

TEST(StateText, NamesWhatIsWrong) {
  const auto refuse = [](const std::string& text, std::string_view expected) {
    const std::string message =
        kit::expect_user_error([&] { (void)state_from_text(text, "run.espalier"); }, expected);
    EXPECT_TRUE(message.starts_with("cannot read the training state of 'run.espalier'")) << message;
  };
  refuse("", "run.espalier");
  refuse("[]", "epoch");
  refuse(replaced("\"step\"", "\"stop\""), "step");
  refuse(replaced("945", "\"945\""), "");
  refuse(replaced("945", "-945"), "'step' is -945, expected 0 or more");
  refuse(replaced("18446744073709551615", "18446744073709551616"),
         "'seed' is '18446744073709551616', expected an integer");
  refuse(replaced("18446744073709551615", "12x"), "'seed' is '12x', expected an integer");
}

}  // namespace
}  // namespace espalier::train
