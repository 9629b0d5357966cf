#include "espalier/recipe/layer_quality.h"

#include <ATen/TensorOperators.h>
#include <gtest/gtest.h>

#include "espalier/zoo/table.h"
#include "tests/kit/tensors.h"

namespace espalier::recipe {
namespace {

TEST(LayerQuality, MeasuresEachLayerAgainstTheFloatModel) {
  const ir::Graph graph = zoo::build("FashionCNN", {.classes = 4});
  const std::vector<Tensor> inputs{kit::random_tensor({2, 1, 28, 28}, 1)};
  for (const LayerQuality& layer : measure_layers(graph, graph, {}, inputs)) {
    EXPECT_EQ(layer.output_sqnr_db, std::nullopt) << layer.name << " is exact";
    EXPECT_TRUE(layer.input.empty());
    EXPECT_GT(layer.macs, 0);
  }
  ir::Graph changed = graph.clone();
  for (ir::Value* value : changed.initializers()) {
    if (value->name() == "conv2.weight") changed.set_constant(*value, value->constant() * 1.1);
  }
  const auto layers = measure_layers(graph, changed, {}, inputs);
  ASSERT_GE(layers.size(), 4U);
  EXPECT_EQ(layers[0].output_sqnr_db, std::nullopt);
  EXPECT_NEAR(layers[1].output_sqnr_db.value(), 20, 1e-3) << "a tenth of the signal is noise";
}

}  // namespace
}  // namespace espalier::recipe
