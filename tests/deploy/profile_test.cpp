#include "espalier/deploy/profile.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include "espalier/deploy/engine.h"
#include "espalier/exec/program.h"
#include "espalier/ir/verifier.h"
#include "espalier/onnx/codec.h"
#include "tests/deploy/small_models.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

EngineLayer fused(std::vector<std::string> covers) {
  return {.name = "layer", .type = "Convolution", .integer = true, .covers = std::move(covers)};
}

ArithmeticProfile profile_of(const EngineLayer& layer) {
  return read_profile("engine", quantized_residual_net(), std::vector<EngineLayer>{layer});
}

TEST(ReadProfile, FindsTheQuantizerInsideALayer) {
  EXPECT_THAT(profile_of(fused({"conv1", "q_first", "add", "q_sum"})).skipped_quantizers,
              ElementsAre("q_first"));
}

TEST(ReadProfile, AQuantizerAtTheEndOfALayerStays) {
  EXPECT_TRUE(profile_of(fused({"conv1", "q_first"})).plain());
}

TEST(ReadProfile, AQuantizerThatOtherLayersReadStays) {
  EXPECT_THAT(profile_of(fused({"conv1", "q_first", "add", "relu", "q_sum"})).skipped_quantizers,
              ElementsAre("q_first"));
  EXPECT_THAT(
      profile_of(fused({"conv1", "q_first", "add", "relu", "q_sum", "pool"})).skipped_quantizers,
      ElementsAre("q_first", "q_sum"));
}

TEST(ReadProfile, FloatAndOtherLayersDoNotCount) {
  EngineLayer layer = fused({"conv1", "q_first", "add"});
  layer.integer = false;
  EXPECT_TRUE(profile_of(layer).plain());
  layer.integer = true;
  layer.type = "Subgraph";
  EXPECT_TRUE(profile_of(layer).plain());
}

TEST(ApplyProfile, RemovesTheQuantizerAndItsDequantizer) {
  const ir::Graph graph = quantized_residual_net();
  const ir::Graph profiled =
      apply_profile(graph, {.engine = "engine", .skipped_quantizers = {"q_first"}});
  EXPECT_THAT(ir::verify(profiled), IsEmpty());
  EXPECT_EQ(profiled.find_node("q_first"), nullptr);
  EXPECT_EQ(profiled.find_node("dq_first"), nullptr);
  EXPECT_EQ(profiled.num_nodes(), graph.num_nodes() - 2);
  EXPECT_NE(graph.find_node("q_first"), nullptr);
}

TEST(ApplyProfile, RefusesAForeignName) {
  kit::expect_user_error(
      [] {
        (void)apply_profile(quantized_residual_net(),
                            {.engine = "engine", .skipped_quantizers = {"conv1"}});
      },
      "the profile of engine names 'conv1', which is no quantizer of the graph");
}

/// Share of outputs that differ from what the engine gives.
double share_different(const ir::Graph& graph, const Tensor& engine_output, const Tensor& input) {
  const Tensor simulated =
      exec::Program::compile(graph, {}).run(std::vector<Tensor>{input}).front();
  return ((simulated - engine_output).abs() > 1e-5).to(at::kDouble).mean().item<double>();
}

TEST(ApplyProfile, BringsTheSimulationCloserToTheEngine) {
  const ir::Graph graph = quantized_residual_net();
  const std::string bytes = onnx::encode(graph);
  const Tensor input = kit::random_tensor({64, 8, 8, 8}, /*seed=*/5);
  for (const std::string& engine : engine_names()) {
    const auto model = open_engine(engine).load(bytes, {.inspect = true});
    const Tensor output = model->run(std::vector<Tensor>{input}).front();
    const ArithmeticProfile profile = read_profile(engine, graph, model->layers());
    const double plain = share_different(graph, output, input);
    const double profiled = share_different(apply_profile(graph, profile), output, input);
    EXPECT_LE(profiled, 0.05) << engine;
    EXPECT_EQ(profile.plain(), engine == "onnxruntime");
    if (!profile.plain()) {
      EXPECT_GT(plain, profiled) << engine;
    }
  }
}

}  // namespace
}  // namespace espalier::deploy
