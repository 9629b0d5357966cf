#include "espalier/recipe/quantization.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/shapes.h"
#include "espalier/recipe/model_source.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

TEST(Quantization, FewerBitsOfSomeLayersRunInEngines) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = load_model({.source = ModelFile{write_small_model(folder.path())}});
  const QuantizationResult result = quantize_model(
      {.graph = graph,
       .data = synthetic_splits(24),
       .calibration = {.samples = 8},
       .stage = {.plan = {.bits = {{.pattern = "Conv", .weights = 4, .activations = 6}}},
                 .rounding = false,
                 .verify = {.max_drop = 100,
                            .min_agreement = 0,
                            .min_integer_mac_share = 0,
                            .allow_slower = true,
                            .latency_rounds = 0}},
       .progress = report::ProgressStyle::Quiet});
  ASSERT_EQ(result.verification.engines.size(), 2U);
  for (const deploy::EngineReport& engine : result.verification.engines) {
    EXPECT_GE(engine.simulation_agreement.value_or(0), 0.9) << engine.name;
  }
  std::set<int> bits;
  for (const auto& [name, weight] : result.plan.weights) bits.insert(weight.params.grid.bits);
  EXPECT_TRUE(bits.contains(4));
}

TEST(Quantization, MoreBitsOfSomeLayersRunInEngines) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = load_model({.source = ModelFile{write_small_model(folder.path())}});
  for (const int bits : {12, 16}) {
    const QuantizationResult result = quantize_model(
        {.graph = graph,
         .data = synthetic_splits(24),
         .calibration = {.samples = 8},
         .stage = {.plan = {.bits = {{.pattern = "Conv", .weights = bits, .activations = bits}}},
                   .rounding = false,
                   .verify = {.max_drop = 100,
                              .min_agreement = 0,
                              .min_integer_mac_share = 0,
                              .allow_slower = true,
                              .latency_rounds = 0,
                              .engines = {"onnxruntime"}}},
         .opset = 21,
         .progress = report::ProgressStyle::Quiet});
    ASSERT_EQ(result.verification.engines.size(), 1U);
    EXPECT_EQ(result.verification.engines[0].simulation_agreement.value_or(0), 1.0) << bits;
    EXPECT_LT(result.plan.biases.size(), result.plan.weights.size()) << bits;
    const ir::Graph shipped = onnx::decode(result.quantized_model);
    EXPECT_TRUE(std::ranges::any_of(shipped.initializers(), [](const ir::Value* value) {
      return value->type().dtype == tensor::DType::Int16;
    }));
  }
}

TEST(Quantization, AModelThatFixesItsBatchIsQuantized) {
  const kit::TemporaryFolder folder;
  ir::Graph graph = load_model({.source = ModelFile{write_small_model(folder.path())}});
  onnx::infer_shapes(graph, {{graph.inputs()[0]->name(), tensor::make_shape({10, 1, 28, 28})}});
  const QuantizationResult result = quantize_model({.graph = graph,
                                                    .data = synthetic_splits(140),
                                                    .calibration = {.samples = 130},
                                                    .stage = {.verify = {.max_drop = 100,
                                                                         .min_agreement = 0,
                                                                         .allow_slower = true,
                                                                         .latency_rounds = 0,
                                                                         .samples = 7}},
                                                    .progress = report::ProgressStyle::Quiet});
  EXPECT_TRUE(result.verification.passed());
  EXPECT_FALSE(result.operators.empty());
}

TEST(Quantization, ErrorsAreThoseOfScoresWhereTheModelGivesClassNumbers) {
  const auto notes_of = [](const ir::Graph& graph) {
    return quantize_model({.graph = graph,
                           .data = synthetic_splits(60),
                           .calibration = {.samples = 16},
                           .stage = {.verify = {.latency_rounds = 0}},
                           .progress = report::ProgressStyle::Quiet})
        .notes;
  };
  const ir::Graph scores = zoo::build("FashionCNN", {.classes = 4, .seed = 5});
  ir::Graph classes = scores.clone();
  ir::Node& choice = classes.add_node({.op = "ArgMax",
                                       .inputs = {classes.outputs()[0]},
                                       .outputs = {"class"},
                                       .attributes = {{"axis", std::int64_t{1}}},
                                       .name = "choice"});
  classes.set_output(0, *choice.output());
  onnx::infer_shapes(classes);
  const std::vector<std::string> notes = notes_of(classes);
  EXPECT_FALSE(notes.empty());
  EXPECT_EQ(notes, notes_of(scores));
}

TEST(Quantization, PlansDoNotDependOnThreads) {
  const ir::Graph graph = zoo::build("FashionCNN", {.classes = 4});
  std::string models[2];
  for (int threads = 1; threads <= 2; ++threads) {
    models[threads - 1] = quantize_model({.graph = graph,
                                          .data = synthetic_splits(24),
                                          .calibration = {.samples = 12, .micro_batch = 2},
                                          .stage = {.verify = {.latency_rounds = 0, .engines = {}}},
                                          .threads = threads,
                                          .progress = report::ProgressStyle::Quiet})
                              .quantized_model;
  }
  EXPECT_EQ(models[0], models[1]);
}

TEST(Quantization, AStoredPlanGivesTheSameModel) {
  const ir::Graph graph = zoo::build("FashionCNN", {.classes = 4});
  const QuantizationResult result =
      quantize_model({.graph = graph,
                      .data = synthetic_splits(24),
                      .calibration = {.samples = 12},
                      .stage = {.verify = {.latency_rounds = 0, .engines = {}}},
                      .progress = report::ProgressStyle::Quiet});
  EXPECT_EQ(apply_plan(graph, result.plan, 17), result.quantized_model);
  const ir::Graph other = zoo::build("FashionCNN", {.classes = 4, .seed = 1});
  kit::expect_user_error([&] { (void)apply_plan(other, result.plan, 17); }, "plan");
}

}  // namespace
}  // namespace espalier::recipe
