#include "espalier/recipe/exporting.h"

#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include "espalier/base/file.h"
#include "espalier/deploy/engine.h"
#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/recipe/plan_yaml.h"
#include "espalier/recipe/quantization.h"
#include "espalier/train/checkpoint.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

ir::Graph model() {
  return zoo::build("FashionCNN", {.classes = 4, .seed = 5});
}

train::TrainState state_of(std::int64_t epoch) {
  train::TrainState state;
  state.epoch = epoch;
  state.step = 9;
  return state;
}

const ir::Value& some_weight(const ir::Graph& graph) {
  for (const ir::Value* value : graph.initializers()) {
    if (value->constant().dim() == 4) return *value;
  }
  throw std::logic_error("no weight");
}

/// Quantized on a few images, in no engine.
QuantizationResult quantized(const ir::Graph& graph) {
  return quantize_model(
      {.graph = graph,
       .data = synthetic_splits(24),
       .calibration = {.samples = 8},
       .stage = {.rounding = false, .verify = {.latency_rounds = 0, .engines = {}}},
       .progress = report::ProgressStyle::Quiet});
}

TEST(Exporting, WritesWhatACheckpointHolds) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = model();
  const std::string weight = some_weight(graph).name();
  train::write_checkpoint(
      folder.path() / "c.bin",
      {.graph = graph.clone(),
       .state = state_of(2),
       .slots = {{"ema/" + weight, at::zeros_like(some_weight(graph).constant())}}});
  ExportRequest request{
      .model = folder.path() / "c.bin", .output = folder.path() / "m.onnx", .opset = 18};
  const report::Json json = export_model(request);
  EXPECT_EQ(json.at("epoch").as_integer(), 2);
  EXPECT_EQ(json.at("step").as_integer(), 9);
  EXPECT_EQ(json.at("opset").as_integer(), 18);
  EXPECT_EQ(json.at("bytes").as_integer(),
            static_cast<std::int64_t>(std::filesystem::file_size(request.output)));
  EXPECT_LE(json.at("difference").as_number(), 1e-6);
  EXPECT_NE(export_text(json).find("written: "), std::string::npos);
  EXPECT_THAT(onnx::load(request.output).find_value(weight)->constant(),
              kit::HasSameBits(some_weight(graph).constant()));
  request.averaged = true;
  static_cast<void>(export_model(request));
  EXPECT_EQ(onnx::load(request.output).find_value(weight)->constant().abs().max().item<float>(),
            0.0F);
}

TEST(Exporting, FoldedHasNoNormalizationAndComputesTheSame) {
  const kit::TemporaryFolder folder;
  const report::Json json = export_model({.model = write_small_model(folder.path()),
                                          .output = folder.path() / "folded.onnx",
                                          .form = "folded"});
  EXPECT_LE(json.at("difference").as_number(), 1e-5);
  const ir::Graph written = onnx::load(folder.path() / "folded.onnx");
  for (const ir::Node* node : written.nodes()) {
    EXPECT_FALSE(node->is("BatchNormalization"));
  }
}

TEST(Exporting, QdqAppliesTheStoredPlan) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path float_model = write_small_model(folder.path());
  const ir::Graph graph = onnx::load(float_model);
  const QuantizationResult result = quantized(graph);
  folder.write("plan.yaml", print_plan(result.plan));
  ExportRequest request{.model = float_model,
                        .output = folder.path() / "q.onnx",
                        .form = "qdq",
                        .plan = folder.file("plan.yaml"),
                        .target = "x86"};
  const report::Json json = export_model(request);
  EXPECT_EQ(folder.read("q.onnx"), result.quantized_model);
  EXPECT_LT(json.at("difference").as_number(), 0.2);
  EXPECT_GT(json.at("difference").as_number(), 0);
  request.target = "tensorrt";
  kit::expect_user_error([&] { (void)export_model(request); }, "the plan is for another target");
}

TEST(Exporting, ARunFolderOfQuantizationHoldsItsFloatModel) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = onnx::load(write_small_model(folder.path()));
  const QuantizationResult result = quantized(graph);
  folder.write("run/model.onnx", result.quantized_model);
  const ExportRequest request{.model = folder.path() / "run", .output = folder.path() / "x.onnx"};
  for (const char* form : {"float", "folded", "qdq"}) {
    ExportRequest refused = request;
    refused.form = form;
    folder.write("run/plan.yaml", print_plan(result.plan));
    kit::expect_user_error([&] { (void)export_model(refused); },
                           std::string("form '") + form + "' needs a float model: node '");
    EXPECT_FALSE(std::filesystem::exists(refused.output));
  }
  folder.write("run/float.onnx", result.float_model);
  static_cast<void>(export_model(request));
  const ir::Graph exported = onnx::load(request.output);
  for (const ir::Node* node : exported.nodes()) {
    EXPECT_FALSE(node->is("QuantizeLinear") || node->is("DequantizeLinear")) << node->label();
  }
  ExportRequest again = request;
  again.form = "qdq";
  static_cast<void>(export_model(again));
  EXPECT_EQ(folder.read("x.onnx"), result.quantized_model);
}

/// Outputs of a file in an engine for some images.
Tensor run_in(const std::string& engine, const std::string& bytes, const Tensor& images) {
  const auto loaded = deploy::open_engine(engine).load(bytes, {});
  return loaded->run(std::span(&images, 1)).front();
}

TEST(Exporting, EveryQuantizedFormComputesWhatTheSimulationDoes) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path float_model = write_small_model(folder.path());
  const ir::Graph graph = onnx::load(float_model);
  const QuantizationResult result = quantized(graph);
  folder.write("plan.yaml", print_plan(result.plan));
  const Tensor images = kit::random_tensor({4, 1, 28, 28}, 11);
  const Tensor expected =
      exec::Program::compile(result.simulated, {}).run(std::span(&images, 1)).front();
  const double largest = expected.abs().max().item<double>();
  for (const std::string form : {"qdq", "frozen", "int8"}) {
    const std::filesystem::path output = folder.path() / (form + ".onnx");
    const report::Json json = export_model(
        {.model = float_model, .output = output, .form = form, .plan = folder.file("plan.yaml")});
    // A sum that is rounded otherwise may move a code: 1 of 255.
    EXPECT_LE(json.at("simulation_difference").as_number(), form == "qdq" ? 0 : 0.02) << form;
    EXPECT_NE(export_text(json).find("from its simulation: "), std::string::npos);
    const std::string bytes = base::read_file(output);
    for (const std::string engine : {"onnxruntime", "openvino"}) {
      EXPECT_THAT(run_in(engine, bytes, images),
                  kit::IsCloseTo(expected, kit::Tolerance{.absolute = 0.02 * largest}))
          << form << " in " << engine;
    }
  }
  const ir::Graph frozen = onnx::load(folder.path() / "frozen.onnx");
  const ir::Graph stored = onnx::load(folder.path() / "int8.onnx");
  std::size_t layers = 0;
  for (const ir::Node* node : frozen.nodes()) {
    if (!node->is("Conv")) continue;
    const Tensor& weight = node->input(1)->constant();
    EXPECT_EQ(weight.scalar_type(), at::kFloat);
    EXPECT_THAT(weight, kit::HasSameBits(weight.round())) << "integers";
    const ir::Node* cast = stored.find_node(node->name())->input(1)->producer();
    ASSERT_NE(cast, nullptr);
    EXPECT_TRUE(cast->is("Cast"));
    EXPECT_THAT(cast->input(0)->constant().to(at::kFloat), kit::HasSameBits(weight));
    ++layers;
  }
  EXPECT_GE(layers, 2U);
  EXPECT_LT(std::filesystem::file_size(folder.path() / "int8.onnx"),
            0.4 * static_cast<double>(std::filesystem::file_size(folder.path() / "frozen.onnx")));
}

TEST(Exporting, ATrainingWithQuantizersGivesEveryForm) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = onnx::load(write_small_model(folder.path()));
  const quant::QuantPlan plan = quantized(graph).plan;
  const ir::Graph trained = training_graph(graph, plan, {});
  train::write_checkpoint(folder.file("trained.espalier"),
                          {.graph = trained.clone(), .state = state_of(1)});
  folder.write("plan.yaml", print_plan(plan));
  ExportRequest request{.model = folder.file("trained.espalier"),
                        .output = folder.path() / "x.onnx",
                        .form = "qdq",
                        .plan = folder.file("plan.yaml")};
  static_cast<void>(export_model(request));
  EXPECT_EQ(folder.read("x.onnx"), encode_trained(trained, plan, request.opset));
  for (const std::string form : {"frozen", "int8"}) {
    request.form = form;
    EXPECT_LE(export_model(request).at("simulation_difference").as_number(), 0.02) << form;
  }
  request.form.clear();
  EXPECT_EQ(export_model(request).at("form").as_string(), "qdq");
  EXPECT_EQ(folder.read("x.onnx"), encode_trained(trained, plan, request.opset));
  request.plan.clear();
  request.form = "float";
  static_cast<void>(export_model(request));
  const ir::Graph plain = onnx::load(folder.path() / "x.onnx");
  const auto count = [](const ir::Graph& searched, std::string_view op) {
    return std::ranges::count_if(searched.nodes(),
                                 [&](const ir::Node* node) { return node->op() == op; });
  };
  EXPECT_EQ(count(plain, "QuantizeLinear") + count(plain, "FakeQuantize"), 0);
  EXPECT_GT(count(plain, "BatchNormalization"), 0);
  const Tensor images = kit::random_tensor({3, 1, 28, 28}, 4, {.normal = true});
  const auto outputs = [&](const ir::Graph& given) {
    return exec::Program::compile(given, {}).run(std::vector<Tensor>{images}).at(0);
  };
  EXPECT_THAT(outputs(plain), kit::IsCloseTo(outputs(graph), kit::Tolerance{.absolute = 1e-5}))
      << "the weights of the start";
  request.form = "folded";
  static_cast<void>(export_model(request));
  EXPECT_EQ(count(onnx::load(folder.path() / "x.onnx"), "BatchNormalization"), 0);
}

TEST(Exporting, ACheckpointOfARunFindsTheRunsPlan) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = onnx::load(write_small_model(folder.path()));
  const quant::QuantPlan plan = quantized(graph).plan;
  const ir::Graph trained = training_graph(graph, plan, {});
  const std::filesystem::path stage = folder.path() / "run/checkpoints/stage-1";
  std::filesystem::create_directories(stage);
  train::write_checkpoint(stage / "best.espalier",
                          {.graph = trained.clone(), .state = state_of(1)});
  const ExportRequest request{.model = stage / "best.espalier", .output = folder.path() / "x.onnx"};
  const std::string text =
      kit::expect_user_error([&] { (void)export_model(request); }, "form 'qdq' needs a plan");
  EXPECT_EQ(text.find("best.espalier/plan.yaml"), std::string::npos) << text;
  EXPECT_NE(text.find("run/plan.yaml"), std::string::npos) << text;
  folder.write("run/plan.yaml", print_plan(plan));
  EXPECT_EQ(export_model(request).at("form").as_string(), "qdq");
  EXPECT_EQ(folder.read("x.onnx"), encode_trained(trained, plan, request.opset));
}

TEST(Exporting, TakesTheTrainedModelOfARunFolder) {
  const kit::TemporaryFolder folder;
  const auto write = [&](const std::string& name, std::int64_t epoch) {
    train::write_checkpoint(folder.file(name), {.graph = model(), .state = state_of(epoch)});
  };
  const auto epoch = [&] {
    return export_model({.model = folder.path(), .output = folder.path() / "m.onnx"})
        .at("epoch")
        .as_integer();
  };
  kit::expect_user_error([&] { (void)epoch(); }, "is no run folder with a model");
  write("checkpoints/stage-0/step-00000007.espalier", 1);
  EXPECT_EQ(epoch(), 1);
  write("checkpoints/stage-0/best.espalier", 2);
  EXPECT_EQ(epoch(), 2);
  write("checkpoints/stage-0.espalier", 3);
  EXPECT_EQ(epoch(), 3);
  write("checkpoints/stage-1/best.espalier", 4);
  EXPECT_EQ(epoch(), 4) << "a later stage is under way";
}

TEST(Exporting, RefusesWhatDoesNotFit) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path onnx_model = write_small_model(folder.path());
  const std::filesystem::path output = folder.path() / "x.onnx";
  const auto refused = [&](const ExportRequest& request, std::string_view text) {
    kit::expect_user_error([&] { (void)export_model(request); }, text);
    EXPECT_FALSE(std::filesystem::exists(request.output));
  };
  refused({.model = onnx_model, .output = output, .averaged = true},
          "holds no moving average: got a file that is no checkpoint");
  refused(
      {.model = onnx_model, .output = output, .form = "float", .target = "x86"},
      "a plan and a target belong to quantized forms: got form 'float', expected qdq, frozen or "
      "int8");
  refused({.model = onnx_model, .output = output, .form = "qdq"}, "form 'qdq' needs a plan");
  refused({.model = onnx_model, .output = output, .target = "x86"}, "form 'qdq' needs a plan");
  refused({.model = onnx_model, .output = output, .form = "int4"},
          "unknown form of an export: got 'int4', expected float, folded, qdq, frozen or int8");
  refused({.model = onnx_model, .output = output, .form = "frozen"}, "form 'frozen' needs a plan");
  train::write_checkpoint(folder.path() / "c.bin", {.graph = model()});
  kit::expect_user_error(
      [&] {
        (void)export_model({.model = folder.path() / "c.bin",
                            .output = folder.path() / "x.onnx",
                            .averaged = true});
      },
      "c.bin' holds no moving average (best.espalier");
}

}  // namespace
}  // namespace espalier::recipe
