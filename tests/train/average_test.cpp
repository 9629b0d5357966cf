#include "espalier/train/average.h"

#include <ATen/ops/full.h>
#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

TEST(Average, FollowsItsFormula) {
  const Tensor value = kit::tensor_of({1, -2}).requires_grad_(true);
  Average average({.decay = 0.9, .warm_up = false}, {{"w", value}});
  std::vector<double> expected{1, -2};
  for (int step = 1; step <= 5; ++step) {
    value.detach().copy_(kit::random_tensor({2}, static_cast<std::uint64_t>(step)));
    average.update(step);
    const std::vector<double> now = kit::values_of(value);
    for (std::size_t index = 0; index < 2; ++index) {
      expected[index] = 0.9 * expected[index] + 0.1 * now[index];
    }
  }
  EXPECT_THAT(kit::values_of(average.slots().at("ema/w")),
              ::testing::Pointwise(::testing::DoubleNear(1e-6), expected));
}

TEST(Average, WarmUpFollowsTheValuesFasterAtFirst) {
  const Tensor value = kit::tensor_of({0});
  Average average({.decay = 0.99}, {{"w", value}});
  value.fill_(1);
  average.update(1);  // d = 2 / 11
  EXPECT_THAT(average.slots().at("ema/w"), kit::IsCloseTo(kit::tensor_of({9.0F / 11})));
  Average late({.decay = 0.99}, {{"w", kit::tensor_of({0})}});
  late.slots().at("ema/w").fill_(2);
  late.update(100'000);  // d = 0.99
  EXPECT_THAT(late.slots().at("ema/w"), kit::IsCloseTo(kit::tensor_of({1.98F})));
}

TEST(Average, ExchangeTwiceGivesBackEveryBit) {
  const Tensor value = kit::random_tensor({4, 3, 5, 5}, 1)
                           .contiguous(at::MemoryFormat::ChannelsLast)
                           .requires_grad_(true);
  const Tensor before = value.detach().clone();
  Average average({.decay = 0.5, .warm_up = false}, {{"w", value}});
  average.slots().at("ema/w").fill_(7);
  average.exchange();
  EXPECT_THAT(value.detach(), kit::IsCloseTo(at::full({4, 3, 5, 5}, 7.0F)));
  average.exchange();
  EXPECT_THAT(value.detach(), kit::HasSameBits(before));
}

TEST(Average, TakesSavedSlotsThatFit) {
  Average average({.decay = 0.5}, {{"a", kit::tensor_of({1})}, {"b", kit::tensor_of({1, 2})}});
  EXPECT_EQ(average.adopt_slots({{"ema/a", kit::tensor_of({5})},
                                 {"ema/b", kit::tensor_of({5})},
                                 {"ema/c", kit::tensor_of({5})}}),
            1U);
  EXPECT_THAT(average.slots().at("ema/a"), kit::HasSameBits(kit::tensor_of({5})));
  EXPECT_THAT(average.slots().at("ema/b"), kit::HasSameBits(kit::tensor_of({1, 2})));
  EXPECT_TRUE(Average::is_slot("ema/a"));
  EXPECT_FALSE(Average::is_slot("momentum/a"));
}

TEST(Average, CoversParametersAndNormalizationStatistics) {
  const ir::Graph graph = synthetic_model(1);
  const exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  const exec::TensorMap tensors = averaged_tensors(graph, program);
  EXPECT_TRUE(tensors.contains("conv.weight"));
  EXPECT_TRUE(tensors.contains("norm.mean"));
  EXPECT_TRUE(tensors.contains("norm.variance"));
  EXPECT_EQ(tensors.size(), program.parameters().size() + 2);
}

TEST(Average, RefusesBadDecays) {
  kit::expect_user_error([] { check_ema({.decay = 1}); },
                         "decay of the moving average: got 1, expected 0 or more and below 1");
}

}  // namespace
}  // namespace espalier::train
