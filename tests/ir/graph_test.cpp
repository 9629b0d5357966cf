#include "espalier/ir/graph.h"

#include <chrono>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/random.h"
#include "espalier/ir/verifier.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/tensors.h"

namespace espalier::ir {
namespace {

using kit::expect_internal_error;
using kit::expect_user_error;
using kit::to_text;
using testing::ElementsAre;
using testing::IsEmpty;

/// x -> Conv(w) -> y -> Relu -> z -> Add(z, y) -> s; output s.
class GraphTest : public testing::Test {
 protected:
  GraphTest() {
    input_ = &graph_.add_input(
        "x", {.dtype = tensor::DType::Float32, .shape = tensor::make_shape({1, 3, 4, 4})});
    weight_ = &graph_.add_initializer("w", kit::random_tensor({4, 3, 1, 1}, 1));
    conv_ = &graph_.add_node(
        {.op = "Conv", .inputs = {input_, weight_}, .outputs = {"y"}, .name = "conv"});
    relu_ = &graph_.add_node(
        {.op = "Relu", .inputs = {conv_->output()}, .outputs = {"z"}, .name = "relu"});
    add_ = &graph_.add_node({.op = "Add",
                             .inputs = {relu_->output(), conv_->output()},
                             .outputs = {"s"},
                             .name = "add"});
    graph_.add_output(*add_->output());
  }

  void expect_text(const std::string& nodes) const {
    EXPECT_EQ(to_text(graph_), "inputs x\n" + nodes + "outputs s\n");
    EXPECT_THAT(verify(graph_), IsEmpty());
  }

  Graph graph_;
  Value* input_ = nullptr;
  Value* weight_ = nullptr;
  Node* conv_ = nullptr;
  Node* relu_ = nullptr;
  Node* add_ = nullptr;
};

constexpr const char* kConv = "y = Conv(x, w) [conv]\n";
constexpr const char* kRelu = "z = Relu(y) [relu]\n";
constexpr const char* kAdd = "s = Add(z, y) [add]\n";

TEST_F(GraphTest, HoldsWhatWasBuilt) {
  expect_text(std::string(kConv) + kRelu + kAdd);
  EXPECT_EQ(graph_.num_nodes(), 3U);
  EXPECT_EQ(graph_.find_node("relu"), relu_);
  EXPECT_EQ(graph_.find_node("none"), nullptr);
  EXPECT_EQ(graph_.find_value("w"), weight_);
  EXPECT_EQ(graph_.find_value("none"), nullptr);
  EXPECT_THAT(graph_.initializers(), ElementsAre(weight_));
  EXPECT_EQ(conv_->output()->producer(), conv_);
  EXPECT_EQ(conv_->output()->uses().size(), 2U);
  EXPECT_TRUE(add_->output()->is_output());
  EXPECT_FALSE(conv_->output()->is_output());
  EXPECT_EQ(weight_->type().dtype, tensor::DType::Float32);
  EXPECT_EQ(weight_->type().shape, tensor::make_shape({4, 3, 1, 1}));
}

TEST_F(GraphTest, NamesAreMadeUnique) {
  EXPECT_EQ(graph_.unique_value_name("free"), "free");
  EXPECT_EQ(graph_.unique_value_name("x"), "x_1");
  EXPECT_EQ(graph_.unique_node_name("conv"), "conv_1");
  const Node& first = graph_.add_node({.op = "Abs", .inputs = {input_}});
  const Node& second = graph_.add_node({.op = "Abs", .inputs = {input_}});
  EXPECT_EQ(first.name(), "Abs");
  EXPECT_EQ(second.name(), "Abs_1");
  EXPECT_EQ(second.output()->name(), "Abs_1");
}

TEST_F(GraphTest, TakenAndEmptyNamesAreRefused) {
  expect_user_error([&] { graph_.add_input("", {}); }, "a value of the graph 'model' has an empty");
  expect_user_error([&] { graph_.add_initializer("x", kit::tensor_of({1})); },
                    "two values of the graph 'model' are named 'x': names must be unique");
  expect_user_error([&] { graph_.add_node({.op = "Abs", .name = "conv"}); },
                    "two nodes of the graph 'model' are named 'conv': names must be unique");
  expect_user_error([&] { graph_.rename(*weight_, "x"); },
                    "cannot rename value 'w' to 'x': the name is taken");
  expect_user_error([&] { graph_.rename(*relu_, "conv"); },
                    "cannot rename node 'relu' (Relu) to 'conv': the name is taken");
  EXPECT_THAT(verify(graph_), IsEmpty());
}

TEST_F(GraphTest, ANodeWhoseOutputNameIsTakenLeavesNoTrace) {
  expect_user_error(
      [&] {
        graph_.add_node({.op = "Split", .inputs = {input_}, .outputs = {"new", "y"}, .name = "n"});
      },
      "are named 'y'");
  expect_text(std::string(kConv) + kRelu + kAdd);
  EXPECT_EQ(input_->uses().size(), 1U);
  EXPECT_EQ(graph_.find_value("new"), nullptr);
  EXPECT_EQ(graph_.find_node("n"), nullptr);
}

TEST_F(GraphTest, OptionalOutputsAreLeftOut) {
  const Node& node =
      graph_.add_node({.op = "Dropout", .inputs = {input_}, .outputs = {"d", "-", "m"}});
  EXPECT_EQ(node.outputs().size(), 3U);
  EXPECT_EQ(node.output(1), nullptr);
  EXPECT_EQ(node.output(2)->output_index(), 2U);
}

TEST_F(GraphTest, InsertsAtTheRightPlace) {
  const Node& before = graph_.insert_before(
      *relu_, {.op = "Neg", .inputs = {conv_->output()}, .outputs = {"n"}, .name = "neg"});
  graph_.insert_after(before,
                      {.op = "Abs", .inputs = {before.output()}, .outputs = {"a"}, .name = "abs"});
  graph_.insert_after(*add_,
                      {.op = "Exp", .inputs = {add_->output()}, .outputs = {"e"}, .name = "exp"});
  expect_text(std::string(kConv) + "n = Neg(y) [neg]\na = Abs(n) [abs]\n" + kRelu + kAdd +
              "e = Exp(s) [exp]\n");
}

TEST_F(GraphTest, ReplaceAllUsesAlsoMovesOutputs) {
  graph_.replace_all_uses(*add_->output(), *relu_->output());
  EXPECT_THAT(graph_.outputs(), ElementsAre(relu_->output()));
  EXPECT_TRUE(relu_->output()->is_output());
  EXPECT_FALSE(add_->output()->is_output());
  graph_.replace_all_uses(*conv_->output(), *input_);
  EXPECT_EQ(to_text(graph_),
            "inputs x\ny = Conv(x, w) [conv]\nz = Relu(x) [relu]\ns = Add(z, x) [add]\n"
            "outputs z\n");
  EXPECT_TRUE(conv_->output()->uses().empty());
  EXPECT_THAT(verify(graph_), IsEmpty());
}

TEST_F(GraphTest, ReplacingAValueByItselfChangesNothing) {
  graph_.replace_all_uses(*conv_->output(), *conv_->output());
  expect_text(std::string(kConv) + kRelu + kAdd);
}

TEST_F(GraphTest, SetInputKeepsUseListsAndGrows) {
  graph_.set_input(*add_, 1, relu_->output());
  expect_text(std::string(kConv) + kRelu + "s = Add(z, z) [add]\n");
  EXPECT_EQ(relu_->output()->uses().size(), 2U);
  graph_.set_input(*conv_, 4, weight_);
  EXPECT_EQ(conv_->inputs().size(), 5U);
  EXPECT_EQ(conv_->input(3), nullptr);
  graph_.truncate_inputs(*conv_, 2);
  graph_.set_input(*add_, 1, nullptr);
  expect_text(std::string(kConv) + kRelu + "s = Add(z, -) [add]\n");
  EXPECT_EQ(weight_->uses().size(), 1U);
}

TEST_F(GraphTest, OneValueCanBeSeveralOutputs) {
  graph_.add_output(*relu_->output());
  graph_.add_output(*relu_->output());
  graph_.set_output(1, *conv_->output());
  EXPECT_TRUE(relu_->output()->is_output()) << "its other place is left";
  graph_.set_output(2, *conv_->output());
  EXPECT_FALSE(relu_->output()->is_output());
  EXPECT_THAT(verify(graph_), IsEmpty());
}

TEST_F(GraphTest, RenameIsSeenByLookUp) {
  graph_.rename(*weight_, "conv.weight");
  graph_.rename(*conv_, "stem");
  EXPECT_EQ(graph_.find_value("conv.weight"), weight_);
  EXPECT_EQ(graph_.find_value("w"), nullptr);
  EXPECT_EQ(graph_.find_node("stem"), conv_);
  EXPECT_EQ(graph_.find_node("conv"), nullptr);
  graph_.rename(*conv_, "stem");
  EXPECT_THAT(verify(graph_), IsEmpty());
}

TEST_F(GraphTest, EraseRefusesWhatIsStillUsed) {
  expect_internal_error([&] { graph_.erase(*conv_); },
                        "erased node 'conv' (Conv) whose output is still used");
  expect_internal_error([&] { graph_.erase(*add_); }, "still used");
  expect_internal_error([&] { graph_.erase(*weight_); }, "erased the value 'w' that is still used");
  expect_internal_error([&] { graph_.erase(*conv_->output()); }, "still used");
  expect_internal_error([&] { graph_.set_constant(*input_, kit::tensor_of({1})); },
                        "'x' is not an initializer");
  expect_internal_error([&] { graph_.set_constant(*weight_, Tensor()); }, "without a tensor");
  expect_text(std::string(kConv) + kRelu + kAdd);
}

TEST_F(GraphTest, EraseTakesNodesAndValuesOut) {
  graph_.replace_all_uses(*relu_->output(), *conv_->output());
  graph_.erase(*relu_);
  expect_text(std::string(kConv) + "s = Add(y, y) [add]\n");
  EXPECT_EQ(graph_.find_value("z"), nullptr);
  EXPECT_EQ(graph_.find_node("relu"), nullptr);
  Value& unused = graph_.add_input("unused", {});
  graph_.erase(unused);
  EXPECT_THAT(graph_.inputs(), ElementsAre(input_));
}

TEST_F(GraphTest, EraseDeadFollowsChains) {
  Node& first = graph_.add_node({.op = "Neg", .inputs = {input_}, .outputs = {"n"}});
  Value& constant = graph_.add_initializer("c", kit::tensor_of({1}));
  graph_.add_node({.op = "Mul", .inputs = {first.output(), &constant}, .outputs = {"m"}});
  graph_.add_initializer("d", kit::tensor_of({2}));
  EXPECT_EQ(graph_.erase_dead(), 4U);
  EXPECT_EQ(graph_.erase_dead(), 0U);
  expect_text(std::string(kConv) + kRelu + kAdd);
  EXPECT_THAT(graph_.initializers(), ElementsAre(weight_));
}

TEST_F(GraphTest, EraseDeadKeepsInputsAndConstantOutputs) {
  graph_.add_input("unused", {});
  graph_.add_output(graph_.add_initializer("c", kit::tensor_of({1})));
  EXPECT_EQ(graph_.erase_dead(), 0U);
  EXPECT_EQ(graph_.inputs().size(), 2U);
}

TEST_F(GraphTest, SortBringsProducersFirstAndKeepsTheRest) {
  graph_.insert_before(*conv_,
                       {.op = "Exp", .inputs = {add_->output()}, .outputs = {"e"}, .name = "exp"});
  graph_.add_node({.op = "Neg", .inputs = {input_}, .outputs = {"n"}, .name = "neg"});
  graph_.sort();
  expect_text(std::string(kConv) + kRelu + kAdd + "e = Exp(s) [exp]\nn = Neg(x) [neg]\n");
}

TEST_F(GraphTest, SortNamesTheNodesOfACycleAndLosesNone) {
  graph_.set_input(*conv_, 0, relu_->output());
  const std::string text =
      expect_user_error([&] { graph_.sort(); }, "the graph 'model' has a cycle through ");
  EXPECT_THAT(text, testing::HasSubstr("node 'conv' (Conv)"));
  EXPECT_EQ(graph_.num_nodes(), 3U);
  graph_.set_input(*conv_, 0, input_);
  graph_.sort();
  expect_text(std::string(kConv) + kRelu + kAdd);
}

TEST_F(GraphTest, ALongCycleIsNamedInPart) {
  Value* last = conv_->output();
  for (int count = 0; count < 20; ++count) {
    last = graph_.add_node({.op = "Abs", .inputs = {last}}).output();
  }
  graph_.set_input(*conv_, 0, last);
  const std::string text = expect_user_error([&] { graph_.sort(); }, "cycle");
  EXPECT_LT(text.size(), 200U);
}

TEST_F(GraphTest, CloneIsEqualAndIndependent) {
  graph_.name = "net";
  graph_.producer = "test";
  graph_.documentation = "doc";
  graph_.metadata["key"] = "value";
  graph_.opsets[""] = 17;
  conv_->set("group", std::int64_t{1});
  conv_->output()->set_type({.dtype = tensor::DType::Float32, .shape = {}});
  graph_.add_node({.op = "Dropout", .inputs = {input_, nullptr}, .outputs = {"-", "m"}});
  const std::string before = to_text(graph_);
  Graph copy = graph_.clone();
  EXPECT_EQ(to_text(copy), before);
  EXPECT_THAT(verify(copy), IsEmpty());
  EXPECT_EQ(copy.name, "net");
  EXPECT_EQ(copy.producer, "test");
  EXPECT_EQ(copy.documentation, "doc");
  EXPECT_EQ(copy.metadata, graph_.metadata);
  EXPECT_EQ(copy.opsets, graph_.opsets);
  EXPECT_EQ(copy.find_node("conv")->get_int("group"), 1);
  EXPECT_EQ(copy.find_value("y")->type(), conv_->output()->type());
  EXPECT_EQ(copy.find_value("w")->constant().data_ptr(), weight_->constant().data_ptr());
  copy.set_constant(*copy.find_value("w"), kit::tensor_of({1}));
  copy.replace_all_uses(*copy.find_value("z"), *copy.find_value("y"));
  copy.erase_dead();
  EXPECT_EQ(to_text(graph_), before);
  EXPECT_THAT(verify(graph_), IsEmpty());
}

TEST_F(GraphTest, MovingKeepsPointers) {
  Graph moved = std::move(graph_);
  EXPECT_EQ(moved.find_node("relu"), relu_);
  moved.insert_after(*relu_, {.op = "Neg", .inputs = {relu_->output()}});
  EXPECT_EQ(moved.num_nodes(), 4U);
  EXPECT_THAT(verify(moved), IsEmpty());
}

/// One random edit through the public calls.
void edit(Graph& graph, base::Random& random) {
  std::vector<Node*> nodes = graph.nodes();
  Node& node = *nodes[random.below(nodes.size())];
  switch (random.below(5)) {
    case 0:
      if (node.output() != nullptr) {
        graph.insert_after(node, {.op = "Neg", .inputs = {node.output(), nullptr}});
      }
      break;
    case 1:
      if (node.input(0) != nullptr)
        graph.insert_before(node, {.op = "Abs", .inputs = {node.input(0)}});
      break;
    case 2:
      if (node.input(0) != nullptr && node.output() != nullptr) {
        graph.replace_all_uses(*node.output(), *node.input(0));
      }
      break;
    case 3:
      graph.rename(node, graph.unique_node_name("renamed"));
      graph.rename(*node.output(), graph.unique_value_name("renamed"));
      break;
    default:
      if (graph.num_nodes() > 30) graph.erase_dead();
      break;
  }
}

TEST(GraphEditing, AnySequenceOfEditsLeavesASoundGraph) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    base::Random random(seed);
    Graph graph;
    Value* value = &graph.add_input("x", {});
    for (int count = 0; count < 5; ++count) {
      value = graph.add_node({.op = "Relu", .inputs = {value}}).output();
    }
    graph.add_output(*value);
    for (int step = 0; step < 200 && graph.num_nodes() > 0; ++step) {
      edit(graph, random);
      ASSERT_THAT(verify(graph), IsEmpty()) << "seed " << seed << " step " << step << "\n"
                                            << to_text(graph);
    }
    const Graph copy = graph.clone();
    EXPECT_EQ(to_text(copy), to_text(graph));
    graph.sort();
    EXPECT_EQ(to_text(copy), to_text(graph)) << "a sorted graph stays as it is";
  }
}

/// 100 000 users of one value and as many nodes without a name: seconds where every edit looks
/// through the graph would be minutes.
TEST(LargeGraphTest, EditingTakesTimeThatDoesNotGrowWithTheGraph) {
  constexpr int kMany = 100'000;
  const auto start = std::chrono::steady_clock::now();
  Graph graph;
  Value& input = graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = {}});
  Value& other = graph.add_input("other", {.dtype = tensor::DType::Float32, .shape = {}});
  std::vector<Node*> nodes;
  for (int count = 0; count < kMany; ++count) {
    nodes.push_back(&graph.add_node({.op = "Relu", .inputs = {&input}}));
  }
  Node& last = graph.add_node({.op = "Add", .inputs = {&input, &input}, .outputs = {"y"}});
  graph.add_output(*last.output());
  base::Random(3).shuffle(std::span(nodes));
  for (std::size_t place = 0; place < nodes.size() / 2; ++place) graph.erase(*nodes[place]);
  graph.replace_all_uses(input, other);
  EXPECT_THAT(verify(graph), IsEmpty());
  EXPECT_EQ(graph.erase_dead(), static_cast<std::size_t>(kMany / 2));
  EXPECT_THAT(other.uses(), testing::SizeIs(2));
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  EXPECT_LT(taken.count(), 20);
}

TEST(LargeGraphTest, NamesStayUniqueAndEveryFirstSuffixIsUsed) {
  Graph graph;
  Value& input = graph.add_input("x", {.dtype = tensor::DType::Float32, .shape = {}});
  graph.add_node({.op = "Relu", .inputs = {&input}, .name = "Relu_32"});
  graph.add_node({.op = "Relu", .inputs = {&input}, .name = "Relu_64"});
  std::vector<std::string> names;
  for (int count = 0; count < 40; ++count) {
    names.push_back(graph.add_node({.op = "Relu", .inputs = {&input}}).name());
  }
  EXPECT_EQ(names[0], "Relu");
  for (int suffix = 1; suffix <= 16; ++suffix) {
    EXPECT_EQ(names[static_cast<std::size_t>(suffix)], fmt::format("Relu_{}", suffix));
  }
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names) EXPECT_NE(graph.find_node(name), nullptr) << name;
}

}  // namespace
}  // namespace espalier::ir
