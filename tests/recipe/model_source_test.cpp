#include "espalier/recipe/model_source.h"

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/train/checkpoint.h"
#include "espalier/weights/safetensors.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

/// The first floating initializer with more than one dimension.
const ir::Value& some_weight(const ir::Graph& graph) {
  for (const ir::Value* value : graph.initializers()) {
    if (value->constant().dim() > 1 && value->constant().is_floating_point()) return *value;
  }
  throw std::logic_error("no weight");
}

TEST(ModelSource, WeightsComeFromAnyKindOfFile) {
  const kit::TemporaryFolder folder;
  const ir::Graph trained = zoo::build("FashionCNN", {.seed = 9});
  onnx::save(trained, folder.path() / "w.onnx");
  train::write_checkpoint(folder.path() / "w.bin", {.graph = trained.clone()});
  weights::TensorMap tensors;
  for (const ir::Value* value : trained.initializers()) {
    tensors.emplace(value->name(), value->constant());
  }
  weights::write_safetensors(folder.path() / "w.safetensors", tensors);
  for (const char* file : {"w.onnx", "w.bin", "w.safetensors"}) {
    const ir::Graph graph =
        load_model({.source = ZooModel{.name = "FashionCNN"}, .weights = folder.path() / file});
    EXPECT_EQ(kit::bit_difference(graph.find_value(some_weight(trained).name())->constant(),
                                  some_weight(trained).constant()),
              "")
        << file;
  }
}

TEST(ModelSource, NamesAWeightThatDoesNotFit) {
  const kit::TemporaryFolder folder;
  ir::Graph graph = zoo::build("FashionCNN");
  weights::write_safetensors(folder.path() / "w.safetensors", {});
  kit::expect_user_error([&] { load_weights(graph, folder.path() / "w.safetensors"); },
                         "got no such tensor");
}

TEST(ModelSource, EnginesGetOnnxWhateverTheFileIs) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path model = write_small_model(folder.path());
  EXPECT_EQ(onnx_bytes(model), folder.read("model.onnx"));
  onnx::save(onnx::load(model), folder.path() / "split.onnx", {.inline_limit = 1000});
  ASSERT_FALSE(folder.read("split.onnx.data").empty());
  EXPECT_EQ(onnx::encode(onnx::decode(onnx_bytes(folder.path() / "split.onnx"))),
            onnx::encode(onnx::load(model)));
  train::write_checkpoint(folder.path() / "c", {.graph = onnx::load(model)});
  EXPECT_FALSE(onnx::decode(onnx_bytes(folder.path() / "c")).nodes().empty());
}

TEST(ModelSource, DescribesInputs) {
  EXPECT_EQ(describe_inputs(zoo::build("FashionCNN")), "image [batch, 1, 28, 28] float32");
}

TEST(ModelSource, ATitleIsWhatPeopleCallTheModel) {
  EXPECT_EQ(model_title({.source = ModelFile{.path = "runs/resnet20_cifar10.onnx"}}),
            "resnet20_cifar10");
  EXPECT_EQ(model_title({.source = ZooModel{.name = "FashionCNN"}}), "FashionCNN");
}

}  // namespace
}  // namespace espalier::recipe
