#include "espalier/recipe/timing.h"

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/shapes.h"
#include "espalier/recipe/model_source.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

TEST(Timing, ComparesEveryModelInEveryEngine) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path model = write_small_model(folder.path());
  const report::Json json = time_models({.models = {model, model}, .rounds = 3});
  ASSERT_EQ(json.at("rows").items().size(), 4U);
  for (const report::Json& row : json.at("rows").items()) {
    EXPECT_GT(row.at("median_ms").as_number(), 0);
    EXPECT_GT(row.at("speed").as_number(), 0);
  }
  EXPECT_NE(timing_text(json).find("openvino"), std::string::npos);
  EXPECT_NE(timing_text(json).find("input: 1x1x28x28"), std::string::npos);
}

TEST(Timing, SaysThatModelsTakeInputsOfDifferentSizes) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path small = write_small_model(folder.path());
  ir::Graph graph = load_model({.source = ModelFile{small}});
  ir::Value& input = *graph.inputs().front();
  input.set_type({.dtype = tensor::DType::Float32, .shape = tensor::make_shape({2, 1, 28, 28})});
  onnx::infer_shapes(graph);
  const std::filesystem::path two = folder.path() / "two.onnx";
  onnx::save(graph, two);
  const report::Json json =
      time_models({.models = {small, two}, .engines = {"onnxruntime"}, .rounds = 3});
  EXPECT_EQ(json.at("rows").items()[1].at("input").as_string(), "2x1x28x28");
  EXPECT_NE(timing_text(json).find("inputs of different sizes"), std::string::npos);
}

TEST(Timing, NamesAMissingFile) {
  kit::expect_user_error([] { (void)time_models({.models = {"missing.onnx"}}); }, "missing.onnx");
}

}  // namespace
}  // namespace espalier::recipe
