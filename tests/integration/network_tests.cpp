// Judges the executor by whole networks: outputs equal ONNX Runtime's within 1e-4 of the largest
// output. The light_* networks of ONNX's source package come without weights; they get random ones.
#include <cmath>
#include <filesystem>
#include <numeric>

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <onnxruntime_cxx_api.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/codec.h"
#include "espalier/tensor/shape.h"
#include "tests/kit/test_data.h"

namespace espalier {
namespace {

namespace fs = std::filesystem;

/// Random weights of a scale that keeps activations of about the same size through the layers.
class WeightMaker {
 public:
  Tensor make(const ir::Value& place, const std::vector<std::int64_t>& sizes) {
    const ir::Use use = place.uses().empty() ? ir::Use{} : place.uses().front();
    const bool norm = use.node != nullptr && use.node->is("BatchNormalization");
    const bool factor = norm && (use.index == 1 || use.index == 4);
    if (factor) return at::empty(sizes).uniform_(0.5, 1.5, generator_);
    const std::int64_t elements =
        std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>());
    const std::int64_t inputs =
        sizes.size() < 2 ? 100 : std::max<std::int64_t>(elements / sizes[0], 1);
    const double deviation = std::sqrt(2.0 / static_cast<double>(inputs));
    return at::empty(sizes).normal_(0, deviation, generator_);
  }

 private:
  at::Generator generator_ = at::detail::createCPUGenerator(2023);
};

/// Replaces every ConstantOfShape of a known shape by random weights.
std::size_t give_weights(ir::Graph& graph) {
  WeightMaker weights;
  std::size_t count = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!node->is("ConstantOfShape") || !node->input(0)->is_initializer()) continue;
    const Tensor shape = node->input(0)->constant();
    const auto* first = shape.const_data_ptr<std::int64_t>();
    ir::Value& old = *node->output();
    ir::Value& weight = graph.add_initializer(graph.unique_value_name("weight"),
                                              weights.make(old, {first, first + shape.numel()}));
    graph.replace_all_uses(old, weight);
    ++count;
  }
  graph.erase_dead();
  return count;
}

/// Logits tell more than probabilities: the input of a final Softmax becomes an output too.
void expose_logits(ir::Graph& graph) {
  ir::Node* last = graph.outputs().at(0)->producer();
  if (last != nullptr && last->is("Softmax")) graph.add_output(*last->input(0));
}

Tensor make_input(const ir::Value& input) {
  std::vector<std::int64_t> sizes;
  for (const tensor::Dim& dim : *input.type().shape) sizes.push_back(dim.size.value_or(2));
  return at::empty(sizes).normal_(0, 1, at::detail::createCPUGenerator(7));
}

/// Outputs of ONNX Runtime for one input.
std::vector<Tensor> run_onnxruntime(const ir::Graph& graph, const Tensor& input) {
  const std::string bytes = onnx::encode(graph);
  Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "network_tests");
  Ort::SessionOptions options;
  options.SetIntraOpNumThreads(2);
  Ort::Session session(environment, bytes.data(), bytes.size(), options);
  const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtDeviceAllocator, OrtMemTypeCPU);
  Tensor plain = input.contiguous();
  Ort::Value value = Ort::Value::CreateTensor<float>(memory, plain.mutable_data_ptr<float>(),
                                                     static_cast<std::size_t>(plain.numel()),
                                                     plain.sizes().data(), plain.sizes().size());
  std::vector<const char*> outputs;
  for (const ir::Value* output : graph.outputs()) outputs.push_back(output->name().c_str());
  const char* input_name = graph.inputs().at(0)->name().c_str();
  std::vector<Ort::Value> results =
      session.Run({}, &input_name, &value, 1, outputs.data(), outputs.size());
  std::vector<Tensor> tensors;
  for (Ort::Value& result : results) {
    const auto sizes = result.GetTensorTypeAndShapeInfo().GetShape();
    tensors.push_back(at::from_blob(result.GetTensorMutableData<float>(), sizes).clone());
  }
  return tensors;
}

void expect_equal_outputs(const ir::Graph& graph) {
  ASSERT_EQ(graph.inputs().size(), 1U);
  const Tensor input = make_input(*graph.inputs()[0]);
  const std::vector<Tensor> expected = run_onnxruntime(graph, input);
  for (const bool fuse : {true, false}) {
    const exec::Program program = exec::Program::compile(graph, {.fuse = fuse});
    const std::vector<Tensor> actual = program.run(std::vector<Tensor>{input});
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t index = 0; index < actual.size(); ++index) {
      ASSERT_EQ(actual[index].sizes(), expected[index].sizes());
      const double largest = expected[index].abs().max().item<double>();
      ASSERT_GT(largest, 0) << "a dead network proves nothing";
      const double error = (actual[index] - expected[index]).abs().max().item<double>();
      EXPECT_LE(error, 1e-4 * largest) << "output " << index << ", fuse " << fuse;
    }
  }
}

std::vector<fs::path> models_in(const fs::path& folder, const std::string& prefix) {
  std::vector<fs::path> models;
  if (!fs::is_directory(folder)) return models;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && name.ends_with(".onnx")) models.push_back(entry.path());
  }
  std::sort(models.begin(), models.end());
  return models;
}

std::string name_of(const testing::TestParamInfo<fs::path>& one) {
  return one.param.stem().string();
}

class LightNetworkTest : public testing::TestWithParam<fs::path> {};

TEST_P(LightNetworkTest, EqualsOnnxRuntime) {
  ir::Graph graph = onnx::load(GetParam());
  EXPECT_GT(give_weights(graph), 5U);
  expose_logits(graph);
  expect_equal_outputs(graph);
}

INSTANTIATE_TEST_SUITE_P(All, LightNetworkTest,
                         testing::ValuesIn(models_in(ESPALIER_LIGHT_NETWORKS, "light_")), name_of);

class StoredNetworkTest : public testing::TestWithParam<fs::path> {};

TEST_P(StoredNetworkTest, EqualsOnnxRuntime) {
  expect_equal_outputs(onnx::load(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(All, StoredNetworkTest,
                         testing::ValuesIn(models_in(kit::test_data() / "models", "")), name_of);

TEST(NetworkTests, AreThere) {
  EXPECT_EQ(models_in(ESPALIER_LIGHT_NETWORKS, "light_").size(), 9U);
  EXPECT_GE(models_in(kit::test_data() / "models", "").size(), 2U);
}

}  // namespace
}  // namespace espalier
