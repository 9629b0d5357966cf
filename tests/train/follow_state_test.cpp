#include "espalier/train/follow_state.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

/// Slots of two parameters and one that is gone.
exec::TensorMap slots_of(const ir::Graph& graph) {
  const Tensor conv = graph.find_value("conv.weight")->constant();
  const Tensor head = graph.find_value("head.weight")->constant();
  return {{"first_moment/conv.weight", conv * 2},
          {"updates/conv.weight", kit::tensor_of({7})},
          {"ema/head.weight", head * 3},
          {"momentum/elsewhere", head}};
}

TEST(FollowState, WhatKeepsItsValuesKeepsItsState) {
  const ir::Graph before = synthetic_model(3);
  ir::Graph after = before.clone();
  ir::Value& head = *after.find_value("head.weight");
  after.set_constant(head, head.constant() * 2);  // as a pass that folds a factor does
  const exec::TensorMap slots = slots_of(before);
  const exec::TensorMap followed = follow_state(slots, before, after, {});
  ASSERT_EQ(followed.size(), 2U);
  EXPECT_THAT(followed.at("first_moment/conv.weight"),
              kit::HasSameBits(slots.at("first_moment/conv.weight")));
  EXPECT_THAT(followed.at("updates/conv.weight"),
              kit::HasSameBits(slots.at("updates/conv.weight")));
}

TEST(FollowState, WhatLosesPositionsLosesThemInItsState) {
  const ir::Graph before = synthetic_model(3);
  ir::Graph after = before.clone();
  ir::Value& conv = *after.find_value("conv.weight");
  const auto first_two = [](const Tensor& tensor) { return tensor.narrow(0, 0, 2).contiguous(); };
  after.set_constant(conv, first_two(conv.constant()));
  const Rewrite cut{.follow = [&](const std::string& parameter, const Tensor& state) {
    return parameter == "conv.weight" ? first_two(state) : state;
  }};
  const exec::TensorMap slots = slots_of(before);
  const exec::TensorMap followed = follow_state(slots, before, after, cut);
  ASSERT_EQ(followed.size(), 3U) << "the parameter that neither graph has is gone";
  EXPECT_THAT(followed.at("first_moment/conv.weight"),
              kit::HasSameBits(first_two(slots.at("first_moment/conv.weight"))));
  EXPECT_THAT(followed.at("updates/conv.weight"),
              kit::HasSameBits(slots.at("updates/conv.weight")));
  EXPECT_THAT(followed.at("ema/head.weight"), kit::HasSameBits(slots.at("ema/head.weight")));
}

}  // namespace
}  // namespace espalier::train
