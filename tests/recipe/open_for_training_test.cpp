#include "espalier/recipe/open_for_training.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "espalier/base/file.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/recipe/small_job.h"
#include "tests/recipe/strategy_run.h"

namespace espalier::recipe {
namespace {

using ::testing::HasSubstr;

std::optional<std::int64_t> batch_of(const ir::Graph& graph) {
  return graph.inputs().front()->type().shape->front().size;
}

/// FashionCNN whose file fixes a batch of 2.
std::filesystem::path write_fixed_model(const std::filesystem::path& folder) {
  ir::Graph graph = zoo::build("FashionCNN", {.classes = 4, .seed = 5});
  onnx::infer_shapes(graph, {{graph.inputs()[0]->name(), tensor::make_shape({2, 1, 28, 28})}});
  const std::filesystem::path path = folder / "fixed.onnx";
  onnx::save(graph, path);
  return path;
}

TEST(OpenForTraining, OpensAndTriesIt) {
  const kit::TemporaryFolder folder;
  const ir::Graph graph = onnx::load(write_fixed_model(folder.path()));
  EXPECT_EQ(batch_of(graph), 2);
  EXPECT_EQ(batch_of(open_for_training(graph)), std::nullopt);
}

TEST(OpenForTraining, RefusesModelsThatMixTheirSamples) {
  const ir::Graph graph = onnx::parse(
      "g (float[2,3] x) => (float[2,3] y)"
      " { m = ReduceMean<axes=[0], keepdims=1>(x) y = Sub(x, m) }");
  kit::expect_unsupported([&] { (void)open_for_training(graph); },
                          "cannot train a model that fixes a batch of 2: output 'y'");
}

TEST(OpenForTraining, RunsGiveTheBatchBack) {
  const kit::TemporaryFolder folder;
  Recipe recipe = parse_recipe(parse_yaml(small_qat_recipe("{}"), "r.yaml"), ".");
  recipe.model = {.source = ModelFile{write_fixed_model(folder.path())}};
  const RunResult result = run_recipe(recipe, quiet_run(folder.file("run")));
  EXPECT_TRUE(result.passed) << result.text;
  for (const char* name : {"run/model.onnx", "run/float.onnx"}) {
    const ir::Graph shipped = onnx::load(folder.file(name));
    EXPECT_EQ(batch_of(shipped), 2) << name;
    EXPECT_TRUE(shipped.metadata.empty()) << name;
  }
  EXPECT_THAT(folder.read("run/log.txt"), HasSubstr("the model fixes a batch of 2: it is open"));
  const std::string before = folder.read("run/model.onnx");
  static_cast<void>(run_recipe(recipe, quiet_run(folder.file("run"), true)));
  EXPECT_EQ(folder.read("run/model.onnx"), before);
}

/// The shipped float weights of a training whose statistics are computed anew.
ir::Graph trained_anew(const ModelConfig& model, const std::filesystem::path& output) {
  Recipe recipe =
      parse_recipe(parse_yaml(small_qat_recipe("{batch_norm: re_estimated}"), "r.yaml"), ".");
  recipe.model = model;
  static_cast<void>(run_recipe(recipe, quiet_run(output)));
  return onnx::load(output / "float.onnx");
}

TEST(OpenForTraining, StatisticsAreNotThoseOfTheFixedBatch) {
  const kit::TemporaryFolder folder;
  const ir::Graph fixed =
      trained_anew({.source = ModelFile{write_fixed_model(folder.path())}}, folder.file("fixed"));
  const ir::Graph open =
      trained_anew({.source = ModelFile{write_small_model(folder.path())}}, folder.file("open"));
  ASSERT_EQ(batch_of(fixed), 2);
  const kit::Tolerance tolerance{.absolute = 1e-4, .relative = 1e-3};
  std::size_t compared = 0;
  for (const ir::Value* value : open.initializers()) {
    if (!value->constant().is_floating_point()) continue;
    const ir::Value* other = fixed.find_value(value->name());
    ASSERT_NE(other, nullptr) << value->name();
    EXPECT_THAT(other->constant(), kit::IsCloseTo(value->constant(), tolerance)) << value->name();
    ++compared;
  }
  EXPECT_GT(compared, 4U);
}

TEST(OpenForTraining, StrategiesWriteTheBatchToo) {
  const kit::TemporaryFolder folder;
  Recipe recipe = strategy_recipe(
      "{export: {end_epoch: 0}}, {quantize: {start_epoch: 1, end_epoch: 2, "
      "verify: {latency_rounds: 0, samples: 8, engines: []}}}");
  recipe.model = {.source = ModelFile{write_fixed_model(folder.path())}};
  static_cast<void>(run_recipe(recipe, quiet_run(folder.file("run"))));
  for (const char* name : {"model", "float", "epoch-0", "epoch-2-quantized"}) {
    EXPECT_EQ(batch_of(onnx::load(folder.file(fmt::format("run/{}.onnx", name)))), 2) << name;
  }
}

}  // namespace
}  // namespace espalier::recipe
