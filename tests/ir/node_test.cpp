#include "espalier/ir/node.h"

#include <gtest/gtest.h>

#include "espalier/ir/graph.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::ir {
namespace {

using kit::expect_user_error;

/// A graph with the one node that the tests ask.
class NodeTest : public testing::Test {
 protected:
  NodeTest() {
    Value& input = graph_.add_input("x", {});
    node_ = &graph_.add_node({.op = "Clip",
                              .inputs = {&input, nullptr, &input},
                              .outputs = {"y", "-"},
                              .attributes = {{"axis", std::int64_t{3}},
                                             {"alpha", 0.5F},
                                             {"mode", std::string("same")},
                                             {"pads", Ints{1, 2}},
                                             {"scales", Floats{1.5F}},
                                             {"value", kit::tensor_of({7})}},
                              .name = "clip1"});
  }

  Graph graph_;
  Node* node_ = nullptr;
};

TEST_F(NodeTest, KnowsItsOperator) {
  EXPECT_TRUE(node_->is("Clip"));
  EXPECT_FALSE(node_->is("Relu"));
  EXPECT_EQ(node_->label(), "node 'clip1' (Clip)");
  graph_.set_op(*node_, "Clip", "com.example");
  EXPECT_FALSE(node_->is("Clip")) << "another domain's operator is another operator";
}

TEST_F(NodeTest, LeftOutAndMissingPortsAreNull) {
  EXPECT_EQ(node_->input(0)->name(), "x");
  EXPECT_EQ(node_->input(1), nullptr);
  EXPECT_EQ(node_->input(2)->name(), "x");
  EXPECT_EQ(node_->input(3), nullptr);
  EXPECT_EQ(node_->output()->name(), "y");
  EXPECT_EQ(node_->output(1), nullptr);
  EXPECT_EQ(node_->output(9), nullptr);
}

TEST_F(NodeTest, GivesTypedAttributes) {
  EXPECT_EQ(node_->get_int("axis"), 3);
  EXPECT_EQ(node_->get_int("axis", 9), 3);
  EXPECT_EQ(node_->get_float("alpha", 9), 0.5F);
  EXPECT_EQ(node_->get_string("mode", "other"), "same");
  EXPECT_EQ(node_->get_ints("pads", {}), (Ints{1, 2}));
  EXPECT_EQ(node_->get_floats("scales", {}), Floats{1.5F});
  EXPECT_THAT(node_->get_tensor("value"), kit::HasSameBits(kit::tensor_of({7})));
}

TEST_F(NodeTest, MissingAttributesGiveTheFallback) {
  EXPECT_EQ(node_->get_int("none", 9), 9);
  EXPECT_EQ(node_->get_float("none", 9), 9);
  EXPECT_EQ(node_->get_string("none", "f"), "f");
  EXPECT_EQ(node_->get_ints("none", {4}), Ints{4});
  EXPECT_EQ(node_->get_floats("none", {4}), Floats{4});
}

TEST_F(NodeTest, MissingAttributesWithoutFallbackAreNamed) {
  expect_user_error([&] { (void)node_->get_int("none"); },
                    "missing attribute 'none': node 'clip1' (Clip): expected an int");
  expect_user_error([&] { (void)node_->get_tensor("none"); },
                    "missing attribute 'none': node 'clip1' (Clip): expected a tensor");
}

TEST_F(NodeTest, AWrongTypeIsNamedWithBothTypes) {
  const std::string where = "': node 'clip1' (Clip): got ";
  expect_user_error([&] { (void)node_->get_int("mode"); },
                    "bad attribute 'mode" + where + "string, expected int");
  expect_user_error([&] { (void)node_->get_int("alpha", 1); }, "got float, expected int");
  expect_user_error([&] { (void)node_->get_float("axis", 1); }, "got int, expected float");
  expect_user_error([&] { (void)node_->get_string("pads", ""); }, "got ints, expected string");
  expect_user_error([&] { (void)node_->get_ints("scales", {}); }, "got floats, expected ints");
  expect_user_error([&] { (void)node_->get_floats("value", {}); }, "got tensor, expected floats");
  expect_user_error([&] { (void)node_->get_tensor("axis"); }, "got int, expected tensor");
}

TEST_F(NodeTest, SetReplacesAndRemoveForgets) {
  node_->set("axis", Ints{5});
  EXPECT_EQ(node_->get_ints("axis", {}), Ints{5});
  EXPECT_TRUE(node_->has("axis"));
  node_->remove("axis");
  node_->remove("axis");
  EXPECT_FALSE(node_->has("axis"));
}

}  // namespace
}  // namespace espalier::ir
