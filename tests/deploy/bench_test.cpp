#include "espalier/deploy/bench.h"

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>

#include "espalier/onnx/codec.h"
#include "tests/deploy/small_models.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using ::testing::SizeIs;

TEST(RandomInputs, FillsUnknownSizesAndDependsOnTheSeed) {
  ir::Graph graph;
  graph.add_input("image", {tensor::DType::Float32,
                            tensor::Shape{{std::nullopt, "N"}, {3, ""}, {std::nullopt, "H"}}});
  graph.add_input("index", {tensor::DType::Int64, tensor::make_shape({5})});
  const auto inputs = random_inputs(graph, 2, {7, 7}, /*seed=*/1);
  EXPECT_EQ(inputs.at(0).sizes().vec(), (std::vector<std::int64_t>{2, 3, 7}));
  EXPECT_EQ(inputs.at(1).scalar_type(), at::kLong);
  EXPECT_TRUE((inputs.at(1) >= 0).all().item<bool>());
  EXPECT_EQ(kit::bit_difference(random_inputs(graph, 2, {7, 7}, 1)[0], inputs[0]), "");
  EXPECT_NE(kit::bit_difference(random_inputs(graph, 2, {7, 7}, 2)[0], inputs[0]), "");
}

TEST(RandomInputs, RefusesAnInputWithoutShape) {
  ir::Graph graph;
  graph.add_input("x", {tensor::DType::Float32, std::nullopt});
  kit::expect_user_error(
      [&] {
        (void)random_inputs(graph, 1, {1, 1}, 1);
      },
      "input 'x' has no shape: give it one");
}

TEST(RandomInputs, RefusesSizesThatNoMemoryHolds) {
  ir::Graph graph;
  const tensor::Dim open;
  graph.add_input("x", {tensor::DType::Float32, tensor::Shape{open, open, open, open}});
  kit::expect_user_error(
      [&] {
        (void)random_inputs(graph, 65536, {65536, 65536}, 1);
      },
      "not enough memory for input 'x': got 1.8e+19 elements");
}

TEST(Bench, MeasuresEveryModelInEveryEngine) {
  const std::string float_bytes = onnx::encode(float_net());
  const std::string quantized_bytes = onnx::encode(quantized_net());
  std::vector<BenchSubject> subjects;
  for (const std::string& engine : engine_names()) {
    subjects.push_back({.model = "float", .bytes = float_bytes, .engine = engine});
    subjects.push_back({.model = "int8", .bytes = quantized_bytes, .engine = engine});
  }
  const auto rows = bench(subjects, {.latency = {.rounds = 2, .min_sample_ms = 0}});
  ASSERT_THAT(rows, SizeIs(4));
  EXPECT_EQ(rows[1].model, "int8");
  EXPECT_EQ(rows[3].engine, "openvino");
  EXPECT_EQ(rows[0].against_first.ratio, 1);
  for (const BenchRow& row : rows) EXPECT_GT(row.latency.median_ms, 0);
}

TEST(Bench, NeedsASubject) {
  kit::expect_user_error([] { (void)bench({}); }, "nothing to measure");
}

TEST(Bench, NamesTheModelThatCannotBeRead) {
  kit::expect_user_error(
      [] { (void)bench({{.model = "broken.onnx", .bytes = "x", .engine = "onnxruntime"}}); },
      "broken.onnx");
}

}  // namespace
}  // namespace espalier::deploy
