#include "espalier/deploy/engine.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>

#include "espalier/deploy/integer_share.h"
#include "espalier/onnx/codec.h"
#include "tests/deploy/small_models.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Tensor some_input(std::int64_t batch) {
  return kit::random_tensor({batch, 8, 8, 8}, /*seed=*/5);
}

std::vector<EngineLayer> inspect(Engine& engine, const ir::Graph& graph) {
  const auto model = engine.load(onnx::encode(graph), {.inspect = true});
  for (int run = 0; run < 3; ++run) (void)model->run(std::vector<Tensor>{some_input(1)});
  return model->layers();
}

IntegerShare share_of(Engine& engine, const ir::Graph& graph) {
  const ir::Graph read_back = onnx::decode(onnx::encode(graph));
  return attribute_macs(read_back, inspect(engine, graph));
}

class EngineTest : public ::testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static Engine& engine() { return open_engine(GetParam()); }
};

TEST(OpenEngine, RefusesAnUnknownName) {
  kit::expect_user_error([] { (void)open_engine("openvin"); },
                         "unknown engine: got 'openvin' (did you mean 'openvino')");
}

TEST(OpenEngine, TheTwoGiveTheSameFloatOutputs) {
  const std::string bytes = onnx::encode(float_net());
  const std::vector<Tensor> inputs = {some_input(3)};
  const auto first = open_engine("onnxruntime").load(bytes, {})->run(inputs);
  const auto second = open_engine("openvino").load(bytes, {})->run(inputs);
  EXPECT_EQ(kit::difference(first.at(0), second.at(0), {.absolute = 1e-5, .relative = 1e-4}), "");
}

TEST_P(EngineTest, IsOpenedOnceAndKnowsItsName) {
  EXPECT_EQ(&engine(), &open_engine(GetParam()));
  EXPECT_EQ(engine().name(), GetParam());
  EXPECT_THAT(engine().version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+.*"));
}

TEST_P(EngineTest, RunsAnyBatchOfADynamicModel) {
  const auto model = engine().load(onnx::encode(float_net()), {});
  const Tensor both = some_input(2);
  const Tensor together = model->run(std::vector<Tensor>{both}).at(0);
  ASSERT_EQ(together.sizes().vec(), (std::vector<std::int64_t>{2, 10}));
  const Tensor second = model->run(std::vector<Tensor>{both.narrow(0, 1, 1)}).at(0);
  EXPECT_THAT(second, kit::IsCloseTo(together.narrow(0, 1, 1)));
}

TEST_P(EngineTest, OutputsOutliveTheModel) {
  Tensor output;
  {
    const auto model = engine().load(onnx::encode(float_net()), {});
    output = model->run(std::vector<Tensor>{some_input(1)}).at(0);
    (void)model->run(std::vector<Tensor>{some_input(1) * 0});
  }
  const auto again = engine().load(onnx::encode(float_net()), {});
  EXPECT_EQ(kit::bit_difference(output, again->run(std::vector<Tensor>{some_input(1)}).at(0)), "");
}

TEST_P(EngineTest, TakesChannelsLastTensors) {
  const auto model = engine().load(onnx::encode(float_net()), {});
  const Tensor input = some_input(2);
  const Tensor plain = model->run(std::vector<Tensor>{input}).at(0);
  const Tensor strided = input.contiguous(at::MemoryFormat::ChannelsLast);
  EXPECT_EQ(kit::bit_difference(model->run(std::vector<Tensor>{strided}).at(0), plain), "");
}

TEST_P(EngineTest, RunsTheQuantizedNetInIntegers) {
  const IntegerShare share = share_of(engine(), quantized_net());
  ASSERT_EQ(share.nodes.size(), 3U);
  for (const MacNode& node : share.nodes) {
    EXPECT_TRUE(node.integer) << node.name << " runs as " << node.layer;
    EXPECT_GT(node.milliseconds, 0) << node.name;
  }
  EXPECT_EQ(share.share, 1.0);
}

TEST_P(EngineTest, TellsWhichConvolutionStayedInFloat) {
  const IntegerShare share = share_of(engine(), quantized_net({.quantize_second = false}));
  ASSERT_EQ(share.nodes.size(), 3U);
  EXPECT_TRUE(share.nodes[0].integer) << share.nodes[0].layer;
  EXPECT_FALSE(share.nodes[1].integer) << share.nodes[1].layer;
  EXPECT_THAT(share.nodes[1].layer, HasSubstr("Conv"));
  EXPECT_TRUE(share.nodes[2].integer) << share.nodes[2].layer;
}

TEST_P(EngineTest, TheFloatNetHasNoIntegerShareAndEveryNodeIsFound) {
  const IntegerShare share = share_of(engine(), float_net());
  EXPECT_EQ(share.share, 0);
  for (const MacNode& node : share.nodes) EXPECT_THAT(node.layer, Not("")) << node.name;
}

TEST_P(EngineTest, RefusesBytesThatAreNoModel) {
  kit::expect_user_error([] { (void)engine().load("garbage", {}); },
                         GetParam() + " cannot load the model: got ");
  kit::expect_user_error([] { (void)engine().load("", {}); },
                         GetParam() + " cannot load the model: got ");
}

TEST_P(EngineTest, NamesTheModelThatItRefuses) {
  kit::expect_user_error([] { (void)load_named(engine(), "runs/a.onnx", "garbage", {}); },
                         "'runs/a.onnx': " + GetParam() + " cannot load the model: got ");
}

TEST_P(EngineTest, RefusesATruncatedModel) {
  const std::string bytes = onnx::encode(float_net());
  kit::expect_user_error([&] { (void)engine().load(bytes.substr(0, bytes.size() / 2), {}); },
                         GetParam() + " cannot load the model: got ");
}

TEST_P(EngineTest, NamesAnInputOfTheWrongShapeTypeOrCount) {
  const auto model = engine().load(onnx::encode(float_net()), {});
  kit::expect_user_error(
      [&] {
        (void)model->run(std::vector<Tensor>{at::ones({1, 3, 8, 8})});
      },
      GetParam() +
          " cannot run the model: input 'input': got float32 [1, 3, 8, 8], expected float32 [?, 8, "
          "8, 8]");
  kit::expect_user_error(
      [&] {
        (void)model->run(std::vector<Tensor>{at::ones({1, 8, 8, 8}, at::kByte)});
      },
      "got uint8 [1, 8, 8, 8], expected float32 [?, 8, 8, 8]");
  kit::expect_user_error([&] { (void)model->run({}); }, "got 0 inputs, expected 1");
}

TEST_P(EngineTest, LayersNeedInspection) {
  const auto model = engine().load(onnx::encode(float_net()), {.inspect = true});
  (void)model->run(std::vector<Tensor>{some_input(1)});
  const auto layers = model->layers();
  EXPECT_TRUE(std::ranges::any_of(layers, [](const EngineLayer& layer) {
    return layer.type.find("Conv") != std::string::npos && layer.milliseconds > 0;
  }));
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineTest, ::testing::ValuesIn(engine_names()),
                         [](const auto& engine) { return engine.param; });

}  // namespace
}  // namespace espalier::deploy
