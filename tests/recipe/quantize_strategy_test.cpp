#include "espalier/recipe/quantize_strategy.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "espalier/base/file.h"
#include "espalier/onnx/codec.h"
#include "espalier/recipe/quantization.h"
#include "espalier/recipe/run.h"
#include "espalier/train/checkpoint.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/recipe/strategy_run.h"

namespace espalier::recipe {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

/// Quantizers from epoch 2 on, exported after epoch 2.
Recipe quantizing_recipe(const std::string& keys = "") {
  return strategy_recipe("{quantize: {start_epoch: 2, end_epoch: 2, " + keys +
                         "verify: {latency_rounds: 0, samples: 8, engines: []}}}");
}

std::size_t count(const ir::Graph& graph, std::string_view op) {
  return static_cast<std::size_t>(
      std::ranges::count_if(graph.nodes(), [&](const ir::Node* node) { return node->op() == op; }));
}

TEST(QuantizeStrategy, TrainsFloatThenQuantizedAndShipsTheResult) {
  const kit::TemporaryFolder folder;
  const RunResult result =
      run_recipe(quantizing_recipe("file: middle.onnx, "), quiet_run(folder.file("run")));
  EXPECT_EQ(result.report.at("training").at("epochs").items().size(), 4U);
  EXPECT_FALSE(result.report.at("compressed").is_null());
  const auto graph_after = [&](const std::string& step) {
    return train::read_checkpoint(folder.file("run/checkpoints/stage-0/step-" + step + ".espalier"))
        .graph;
  };
  EXPECT_EQ(count(graph_after("00000006"), "FakeQuantize"), 0U) << "the start is its first step";
  EXPECT_GT(count(graph_after("00000007"), "FakeQuantize"), 4U);
  EXPECT_GT(count(graph_after("00000012"), "FakeQuantize"), 4U) << "quantizers stay behind the end";
  // Float model and plan of the moment when quantization began.
  const QuantizationStart start = load_quantization_start(folder.file("run/checkpoints/stage-0"));
  EXPECT_EQ(onnx::encode(start.float_model), onnx::encode(graph_after("00000006")));
  EXPECT_FALSE(start.plan.weights.empty());
  EXPECT_EQ(folder.read("run/float.onnx"), onnx::encode(start.float_model, {.opset = 17}));
  // Two quantized models: as the span ended, and what the stage kept as best.
  for (const char* name : {"run/middle.onnx", "run/model.onnx"}) {
    const ir::Graph shipped = onnx::load(folder.file(name));
    EXPECT_GT(count(shipped, "QuantizeLinear"), 2U) << name;
    EXPECT_EQ(count(shipped, "FakeQuantize"), 0U) << name;
    EXPECT_EQ(count(shipped, "BatchNormalization"), 0U) << name;
  }
  EXPECT_THAT(folder.read("run/plan.yaml"), HasSubstr("method: moving_average_abs_max"));
  EXPECT_THAT(folder.read("run/log.txt"),
              HasSubstr("epoch 3: quantize, start_epoch 2, end_epoch 2"));
}

TEST(QuantizeStrategy, ResumesOnBothSidesOfItsStartToTheSameBytes) {
  for (const std::string keys : {"", "quantizers: {activations: lsq_act, batch_norm: frozen}, "}) {
    const kit::TemporaryFolder folder;
    const Recipe recipe = quantizing_recipe(keys);
    static_cast<void>(run_recipe(recipe, quiet_run(folder.file("whole"))));
    for (const std::int64_t step : {4, 6, 7, 9, 11}) {
      const fs::path broken = folder.file(fmt::format("broken-{}", step));
      fs::copy(folder.file("whole"), broken, fs::copy_options::recursive);
      kill_after(broken, step);
      static_cast<void>(run_recipe(recipe, quiet_run(broken, true)));
      const std::string name = broken.filename().string();
      EXPECT_THAT(folder.read(name + "/log.txt"), HasSubstr(fmt::format(", step {}:", step)));
      for (const char* file :
           {"model.onnx", "plan.yaml", "float.onnx", "epoch-2-quantized.onnx",
            "checkpoints/stage-0.espalier", "checkpoints/stage-0/step-00000012.espalier"}) {
        EXPECT_EQ(folder.read(name + "/" + file), folder.read(std::string("whole/") + file))
            << "killed after step " << step << ": " << file;
      }
    }
  }
}

/// The bytes of all initializers.
std::string weights_of(const ir::Graph& graph) {
  std::string bytes;
  for (const ir::Value* value : graph.initializers()) {
    const Tensor constant = value->constant().contiguous();
    bytes.append(static_cast<const char*>(constant.const_data_ptr()), constant.nbytes());
  }
  return bytes;
}

TEST(QuantizeStrategy, TheFloatModelIsTheOneThatWasEvaluated) {
  const kit::TemporaryFolder folder;
  Recipe recipe = quantizing_recipe();
  std::get<TrainStage>(recipe.stages[0]).options.ema.decay = 0.5;
  (void)run_recipe(recipe, quiet_run(folder.file("run")));
  const std::string stage = folder.file("run/checkpoints/stage-0");
  const train::Checkpoint before = train::read_checkpoint(stage + "/step-00000006.espalier");
  const ir::Graph start = load_quantization_start(stage).float_model;
  std::size_t averages = 0;
  for (const auto& [name, average] : before.slots) {
    if (!name.starts_with("ema/")) continue;
    EXPECT_THAT(start.find_value(name.substr(4))->constant(), kit::HasSameBits(average)) << name;
    ++averages;
  }
  EXPECT_GT(averages, 4U);
}

TEST(QuantizeStrategy, ReestimatesBatchNormBeforeItExports) {
  const kit::TemporaryFolder folder;
  static_cast<void>(run_recipe(quantizing_recipe("quantizers: {batch_norm: re_estimated}, "),
                               quiet_run(folder.file("run"))));
  EXPECT_THAT(folder.read("run/log.txt"), HasSubstr("BatchNormalization nodes computed anew on 8"));
  static_cast<void>(run_recipe(quantizing_recipe(), quiet_run(folder.file("live"))));
  const auto trained = [&](const std::string& run) {
    const std::string path = folder.file(run + "/checkpoints/stage-0/step-00000012.espalier");
    return weights_of(train::read_checkpoint(path).graph);
  };
  EXPECT_EQ(trained("run"), trained("live")) << "training is the same";
  EXPECT_NE(folder.read("run/model.onnx"), folder.read("live/model.onnx"));
}

TEST(QuantizeStrategy, NamesTheFileThatIsMissing) {
  const kit::TemporaryFolder folder;
  kit::expect_user_error([&] { (void)load_quantization_start(folder.path()); },
                         "got no 'before-quantization.espalier'");
  train::write_checkpoint(folder.file("before-quantization.espalier"),
                          {.graph = zoo::build("FashionCNN", {.seed = 1})});
  kit::expect_user_error([&] { (void)load_quantization_start(folder.path()); },
                         "got no plan in 'before-quantization.espalier'");
}

TEST(QuantizeStrategy, AChangedPlanIsRefused) {
  const kit::TemporaryFolder folder;
  (void)run_recipe(quantizing_recipe(), quiet_run(folder.file("run")));
  const fs::path stage = folder.file("run/checkpoints/stage-0");
  std::string bytes = folder.read("run/checkpoints/stage-0/before-quantization.espalier");
  const std::size_t scale = bytes.find("scale: ");
  ASSERT_NE(scale, std::string::npos);
  bytes[bytes.find_first_of("123456789", scale)] ^= 1;
  base::write_file_atomic(stage / "before-quantization.espalier", bytes);
  kit::expect_user_error([&] { (void)load_quantization_start(stage); },
                         "before-quantization.espalier");
  kit::expect_user_error([&] { (void)load_quantization_start(stage); },
                         "start the training anew, without --resume");
}

}  // namespace
}  // namespace espalier::recipe
