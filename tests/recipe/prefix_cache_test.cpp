#include "espalier/recipe/prefix_cache.h"

#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "espalier/onnx/shapes.h"
#include "espalier/onnx/text.h"
#include "espalier/zoo/table.h"

namespace espalier::recipe {
namespace {

using Names = std::vector<std::string>;

/// Outputs of the first, second and third activation.
Names activations(const ir::Graph& graph) {
  Names names;
  for (const ir::Node* node : graph.nodes()) {
    if (node->is("Relu")) names.push_back(node->output()->name());
  }
  return names;
}

std::vector<Tensor> images(std::int64_t batches) {
  std::vector<Tensor> result;
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    result.push_back(at::randn({3, 3, 32, 32}));
  }
  return result;
}

TEST(PrefixCache, GivesTheValuesOfTheWholeGraph) {
  const ir::Graph graph = zoo::build("ResNet20", {.seed = 3});
  const Names names = activations(graph);
  const std::vector<Tensor> batches = images(4);
  PrefixCache cache(graph, batches, {names[0], names[4]}, 1 << 30);
  const exec::Program whole = exec::Program::compile(graph, {.taps = {names[4]}});
  EXPECT_EQ(cache.fill(0, {names[0]}, 2), 4U);
  EXPECT_EQ(cache.fill(0, {names[4], graph.inputs()[0]->name()}, 2), 4U);
  for (std::size_t batch = 0; batch < 4; ++batch) {
    Tensor expected;
    (void)whole.run(std::vector{batches[batch]},
                    [&](std::string_view, const Tensor& tensor) { expected = tensor.clone(); });
    const auto values = cache.at(batch, {names[4], graph.inputs()[0]->name()});
    EXPECT_TRUE(values[0].allclose(expected, 1e-4, 1e-5));
    EXPECT_TRUE(values[1].equal(batches[batch]));
  }
  EXPECT_TRUE(cache.run_whole(1, graph.outputs()[0]->name())
                  .allclose(whole.run(std::vector{batches[1]})[0], 1e-4, 1e-5));
}

TEST(PrefixCache, HoldsWhatFitsAndOneBatchAThread) {
  const ir::Graph graph = zoo::build("ResNet20", {.seed = 3});
  const Names names = activations(graph);
  const std::vector<Tensor> batches = images(7);
  constexpr std::uint64_t kBytes = 3 * 16 * 32 * 32 * 4;  // of the first activation of a batch
  PrefixCache cache(graph, batches, {names[0]}, 3 * kBytes);
  EXPECT_EQ(cache.fill(0, {names[0]}, 2), 3U);
  EXPECT_EQ(cache.fill(3, {names[0]}, 2), 6U);
  EXPECT_EQ(cache.fill(6, {names[0]}, 2), 7U);
  EXPECT_EQ(cache.at(6, {names[0]})[0].size(1), 16);
  PrefixCache tiny(graph, batches, {names[0]}, 1);
  EXPECT_EQ(tiny.fill(0, {names[0]}, 2), 2U);
  EXPECT_EQ(tiny.fill(2, {graph.inputs()[0]->name()}, 2), 4U) << "images alone: the least counts";
}

TEST(PrefixCache, LeavesOutBatchesThatAreNotNeeded) {
  const ir::Graph graph = zoo::build("ResNet20", {.seed = 3});
  const Names names = activations(graph);
  const std::vector<Tensor> batches = images(4);
  PrefixCache cache(graph, batches, {names[0], names[4]}, 1 << 30);
  EXPECT_EQ(cache.fill(0, {names[0]}, 2), 4U);
  EXPECT_EQ(cache.fill(0, {names[4]}, 2, {0, 0, 1, 0}), 4U);
  EXPECT_EQ(cache.at(2, {names[4]}).size(), 1U);
  EXPECT_THROW((void)cache.at(1, {names[4]}), std::out_of_range);
  EXPECT_EQ(cache.at(1, {names[0]}).size(), 1U) << "what it held is still there";
}

/// Y and the value behind the Relu, with the batch on axis 0 or on axis 1.
ir::Graph transposed(const std::string& batch, const std::string& perm) {
  ir::Graph graph = onnx::parse(R"(<ir_version: 10, opset_import: ["" : 21]>
    test (float[)" + batch + R"(, 4] X) => (float[)" +
                                batch + R"(, 4] Y) {
      R = Relu (X)
      T = Transpose <perm = )" + perm +
                                R"(> (R)
      S = Sigmoid (T)
      Y = Transpose <perm = )" + perm +
                                R"(> (S)
    })");
  onnx::infer_shapes(graph);
  return graph;
}

TEST(PrefixCache, KnowsWhetherImagesAreRows) {
  const auto by_row = [](const std::string& batch, const std::string& perm) {
    const ir::Graph graph = transposed(batch, perm);
    return PrefixCache(graph, {at::randn({3, 4})}, {"T"}, 1 << 20).holds_images_by_row();
  };
  EXPECT_TRUE(by_row("N", "[0, 1]"));
  EXPECT_FALSE(by_row("N", "[1, 0]"));
  EXPECT_FALSE(by_row("3", "[0, 1]")) << "the file fixes the batch";
}

}  // namespace
}  // namespace espalier::recipe
