#include "espalier/recipe/channel_groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::recipe {
namespace {

using report::Json;
using testing::HasSubstr;
using testing::Not;

/// Adds a node named like its output.
ir::Value* add(ir::Graph& graph, const std::string& name, const std::string& op,
               const std::vector<ir::Value*>& inputs, ir::Attributes attributes = {}) {
  return graph
      .add_node({.op = op,
                 .inputs = inputs,
                 .outputs = {name},
                 .attributes = std::move(attributes),
                 .name = name})
      .output();
}

ir::Value* weight(ir::Graph& graph, const kit::Sizes& sizes) {
  return &graph.add_initializer(graph.unique_value_name("weight"), kit::random_tensor(sizes, 1));
}

ir::Value* input(ir::Graph& graph, const std::vector<std::int64_t>& sizes) {
  graph.opsets[""] = 17;
  return &graph.add_input("x",
                          {.dtype = tensor::DType::Float32, .shape = tensor::make_shape(sizes)});
}

/// A layer that may be cut, one under a Softmax, and a classifier; the vectors of the normalization
/// are stored once.
ir::Graph three_layers() {
  ir::Graph graph;
  ir::Value* x = input(graph, {1, 3, 4, 4});
  ir::Value* first = add(graph, "first", "Conv", {x, weight(graph, {8, 3, 1, 1})});
  ir::Value* vector = weight(graph, {8});
  ir::Value* scaled =
      add(graph, "n", "BatchNormalization", {first, vector, vector, vector, vector});
  ir::Value* second = add(graph, "second", "Conv", {scaled, weight(graph, {4, 8, 1, 1})});
  ir::Value* soft = add(graph, "s", "Softmax", {second}, {{"axis", std::int64_t{1}}});
  ir::Value* flat = add(graph, "f", "Flatten", {add(graph, "p", "GlobalAveragePool", {soft})});
  graph.add_output(*add(graph, "y", "Gemm", {flat, weight(graph, {4, 5})}));
  return graph;
}

TEST(ChannelGroups, ListLayersAndWhatMayGo) {
  const Json groups = channel_groups_json(three_layers());
  ASSERT_EQ(groups.items().size(), 3U);
  const Json& first = groups.items()[0];
  EXPECT_EQ(first.at("name").as_string(), "first");
  EXPECT_EQ(first.at("channels").as_integer(), 8);
  EXPECT_EQ(first.at("removable").as_integer(), 7);
  EXPECT_EQ(first.at("width").as_integer(), 1);
  EXPECT_TRUE(first.at("can_be_cut").as_bool());
  EXPECT_TRUE(first.at("vetoes").items().empty());
  ASSERT_EQ(first.at("layers").items().size(), 1U);
  const Json& layer = first.at("layers").items()[0];
  EXPECT_EQ(layer.at("node").as_string(), "first");
  EXPECT_EQ(layer.at("op").as_string(), "Conv");
  EXPECT_EQ(layer.at("filters").as_integer(), 8);
  EXPECT_EQ(layer.at("removable_filters").as_integer(), 8);
}

TEST(ChannelGroups, VetoesNameTheirOperator) {
  const Json groups = channel_groups_json(three_layers());
  const Json& second = groups.items()[1];
  EXPECT_FALSE(second.at("can_be_cut").as_bool());
  EXPECT_EQ(second.at("removable").as_integer(), 0);
  ASSERT_EQ(second.at("vetoes").items().size(), 1U);
  EXPECT_EQ(second.at("vetoes").items()[0].at("where").as_string(), "node 's' (Softmax)");
  EXPECT_EQ(second.at("vetoes").items()[0].at("reason").as_string(),
            "it normalizes over all positions");
  EXPECT_EQ(groups.items()[2].at("layers").items()[0].at("removable_filters").as_integer(), 0);
}

TEST(ChannelGroups, TextSaysHowManyAndWhy) {
  const std::string text = channel_groups_text(channel_groups_json(three_layers()));
  EXPECT_THAT(text, HasSubstr("1 of 3 channel groups can be cut\n"));
  EXPECT_THAT(text, HasSubstr("first                 8       7      1  first\n"));
  EXPECT_THAT(text, HasSubstr("'second' cannot be cut:\n"
                              "  node 's' (Softmax): it normalizes over all positions\n"));
  EXPECT_THAT(text, HasSubstr("'y' cannot be cut:\n"
                              "  output 'y' of the graph: its shape is what callers expect\n"));
  EXPECT_THAT(text, Not(HasSubstr("'first' ")));
}

TEST(ChannelGroups, AGraphWithoutLayersSaysSo) {
  ir::Graph graph;
  graph.add_output(*add(graph, "y", "Relu", {input(graph, {2})}));
  EXPECT_THAT(channel_groups_text(channel_groups_json(graph)),
              HasSubstr("no layer with weights was found"));
}

TEST(ChannelGroups, ManyLayersAreCounted) {
  ir::Graph graph;
  ir::Value* x = input(graph, {1, 4});
  ir::Value* sum = add(graph, "a", "Gemm", {x, weight(graph, {4, 4})});
  for (int layer = 1; layer < 7; ++layer) {
    const std::string number = std::to_string(layer);
    ir::Value* product = add(graph, "g" + number, "Gemm", {x, weight(graph, {4, 4})});
    sum = add(graph, "s" + number, "Add", {sum, product});
  }
  graph.add_output(*sum);
  EXPECT_THAT(channel_groups_text(channel_groups_json(graph)),
              HasSubstr("a, g1, g2, g3 and 3 more\n"));
}

}  // namespace
}  // namespace espalier::recipe
