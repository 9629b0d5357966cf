#include "espalier/train/optimizer.h"

#include <ATen/ops/ones_like.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::train {
namespace {

exec::TensorMap parameters() {
  return {{"a", kit::tensor_of({1, 2}).requires_grad_(true)},
          {"b", kit::tensor_of({3, 4, 5}).requires_grad_(true)}};
}

const std::vector<ParameterGroup> kGroups = {{.names = {"b"}, .weight_decay = 0.5, .lr_scale = 0},
                                             {.names = {"a"}}};

TEST(Optimizer, AppliesTheNumbersOfEachGroup) {
  const exec::TensorMap tensors = parameters();
  const auto optimizer = make_optimizer(SgdOptions{.momentum = 0}, tensors, kGroups);
  for (const auto& [name, tensor] : tensors) Tensor(tensor).mutable_grad() = at::ones_like(tensor);
  optimizer->step(1.0);
  EXPECT_THAT(tensors.at("a").detach(), kit::IsCloseTo(kit::tensor_of({0, 1})));
  EXPECT_THAT(tensors.at("b").detach(), kit::IsCloseTo(kit::tensor_of({3, 4, 5})));
  optimizer->clear_gradients();
  EXPECT_FALSE(tensors.at("a").grad().defined());
}

TEST(Optimizer, SlotsComeBack) {
  const exec::TensorMap tensors = parameters();
  const auto optimizer = make_optimizer(SgdOptions{}, tensors, kGroups);
  for (const auto& [name, tensor] : tensors) Tensor(tensor).mutable_grad() = at::ones_like(tensor);
  optimizer->step(1.0);
  const auto other = make_optimizer(SgdOptions{}, parameters(), kGroups);
  other->load_slots(optimizer->slots());
  EXPECT_EQ(other->slots().size(), 2U);
  EXPECT_THAT(other->slots().at("momentum/b"),
              kit::HasSameBits(optimizer->slots().at("momentum/b")));
  EXPECT_THAT(other->slots().at("momentum/b"), kit::IsCloseTo(kit::tensor_of({2.5F, 3, 3.5F})));
}

TEST(Optimizer, AdoptsTheSlotsThatFit) {
  const auto optimizer = make_optimizer(SgdOptions{}, parameters(), kGroups);
  EXPECT_EQ(optimizer->adopt_slots({{"momentum/a", kit::tensor_of({7, 8})},
                                    {"momentum/b", kit::tensor_of({7, 8})},
                                    {"momentum/c", kit::tensor_of({7, 8})}}),
            1U);
  EXPECT_THAT(optimizer->slots().at("momentum/a"), kit::HasSameBits(kit::tensor_of({7, 8})));
  EXPECT_THAT(optimizer->slots().at("momentum/b"), kit::HasSameBits(kit::tensor_of({0, 0, 0})));
}

TEST(Optimizer, EveryKindHasARow) {
  EXPECT_EQ(make_optimizer(SgdOptions{}, parameters(), kGroups)->describe().substr(0, 4), "sgd ");
  EXPECT_EQ(make_optimizer(AdamOptions{}, parameters(), kGroups)->describe().substr(0, 5), "adam ");
}

TEST(Optimizer, RefusesSlotsThatDoNotFit) {
  const auto optimizer = make_optimizer(SgdOptions{}, parameters(), kGroups);
  const Tensor two = kit::tensor_of({1, 2});
  const Tensor three = kit::tensor_of({1, 2, 3});
  kit::expect_user_error(
      [&] {
        optimizer->load_slots({{"momentum/a", two}});
      },
      "the checkpoint's optimizer state does not fit: slot 'momentum/b': got "
      "nothing, expected its values (resume with the optimizer");
  kit::expect_user_error(
      [&] {
        optimizer->load_slots({{"momentum/a", three}, {"momentum/b", three}});
      },
      "slot 'momentum/a': got 3 elements, expected 2 elements");
  kit::expect_user_error(
      [&] {
        optimizer->load_slots({{"momentum/a", two}, {"momentum/b", three}, {"variance/a", two}});
      },
      "slot 'variance/a': got values, expected no such slot");
}

TEST(Optimizer, RefusesWhatItCannotTrain) {
  kit::expect_unsupported(
      [] {
        (void)make_optimizer(SgdOptions{}, {{"h", kit::tensor_of({1}).to(at::kHalf)}},
                             {{.names = {"h"}}});
      },
      "cannot train the parameter 'h' of type Half: only float32 and float64");
  kit::expect_internal_error(
      [] { (void)make_optimizer(SgdOptions{}, parameters(), {{.names = {"a"}}}); },
      "1 of 2 parameters are in no group");
  kit::expect_internal_error(
      [] {
        (void)make_optimizer(SgdOptions{}, parameters(), {{.names = {"a", "a", "b"}}});
      },
      "the parameter 'a' is in two groups");
  kit::expect_internal_error(
      [] {
        (void)make_optimizer(SgdOptions{}, parameters(), {{.names = {"a", "b", "c"}}});
      },
      "a group names the unknown parameter 'c'");
}

}  // namespace
}  // namespace espalier::train
