#include "espalier/ir/verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::ir {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// x -> Conv(w) -> y -> Relu -> z.
class VerifierTest : public testing::Test {
 protected:
  VerifierTest() {
    Value& input = graph_.add_input("x", {.dtype = tensor::DType::Float32, .shape = {}});
    weight_ = &graph_.add_initializer("w", kit::random_tensor({4, 3, 1, 1}, 1));
    conv_ = &graph_.add_node({.op = "Conv", .inputs = {&input, weight_}, .outputs = {"y"}});
    relu_ = &graph_.add_node({.op = "Relu", .inputs = {conv_->output()}, .outputs = {"z"}});
    graph_.add_output(*relu_->output());
  }

  Graph graph_;
  Value* weight_ = nullptr;
  Node* conv_ = nullptr;
  Node* relu_ = nullptr;
};

TEST_F(VerifierTest, ASoundGraphHasNoViolation) {
  EXPECT_THAT(verify(graph_), IsEmpty());
  EXPECT_NO_THROW(verify_or_throw(graph_, "building"));
}

TEST_F(VerifierTest, Invariant1AUserBeforeItsProducer) {
  graph_.insert_before(*conv_, {.op = "Abs", .inputs = {conv_->output()}, .name = "early"});
  EXPECT_THAT(verify(graph_), ElementsAre("node 'early' (Abs): input 0 is not computed before it"));
}

TEST_F(VerifierTest, Invariant1ACycle) {
  graph_.set_input(*conv_, 0, relu_->output());
  EXPECT_THAT(verify(graph_), ElementsAre("node 'Conv' (Conv): input 0 is not computed before it"));
}

TEST_F(VerifierTest, Invariant1AValueOfAnotherGraph) {
  const Graph other = graph_.clone();
  graph_.set_input(*relu_, 0, other.find_value("y"));
  EXPECT_THAT(verify(graph_), Contains("node 'Relu' (Relu): input 0 is not computed before it"));
  EXPECT_THAT(verify(other), Contains("value 'y' lists a use by a node that is not in the graph"))
      << "invariant 2, seen from the other graph";
  graph_.set_input(*relu_, 0, nullptr);
}

TEST_F(VerifierTest, Invariant4AnOutputOfAnotherGraph) {
  Graph other;
  Value& foreign = other.add_input("foreign", {});
  graph_.set_output(0, foreign);
  EXPECT_THAT(verify(other), Contains("value 'foreign' is wrongly marked as output"));
}

TEST_F(VerifierTest, Invariant4AnOutputThatNothingComputes) {
  Graph other;
  Value& foreign = other.add_input("foreign", {});
  graph_.set_output(0, foreign);
  EXPECT_THAT(verify(graph_), Contains("graph output 0 ('foreign') is not a value of the graph"));
}

TEST_F(VerifierTest, Invariant5AnInitializerThatDiffersFromItsType) {
  weight_->set_type({.dtype = tensor::DType::Int8, .shape = weight_->type().shape});
  EXPECT_THAT(verify(graph_), ElementsAre("initializer 'w' differs from its declared type"));
  weight_->set_type({.dtype = tensor::DType::Float32, .shape = tensor::make_shape({4, 3})});
  EXPECT_THAT(verify(graph_), ElementsAre("initializer 'w' differs from its declared type"));
  graph_.set_constant(*weight_, kit::random_tensor({2}, 1));
  EXPECT_THAT(verify(graph_), IsEmpty());
}

TEST_F(VerifierTest, Invariant6NamesCannotBeBrokenByTheApi) {
  kit::expect_user_error([&] { graph_.add_input("y", {}); },
                         "two values of the graph 'model' are named 'y'");
  kit::expect_user_error([&] { graph_.add_node({.op = "Abs", .name = "Conv"}); },
                         "two nodes of the graph 'model' are named 'Conv'");
  EXPECT_THAT(verify(graph_), IsEmpty());
}

TEST_F(VerifierTest, Invariant7AGraphWithoutOutput) {
  Graph empty;
  empty.add_input("x", {});
  EXPECT_THAT(verify(empty), ElementsAre("the graph has no output"));
}

TEST_F(VerifierTest, ReportsAllViolationsAtOnce) {
  graph_.insert_before(*conv_, {.op = "Abs", .inputs = {conv_->output()}, .name = "early"});
  weight_->set_type({});
  EXPECT_EQ(verify(graph_).size(), 2U);
  const std::string text =
      kit::expect_internal_error([&] { verify_or_throw(graph_, "the pass 'fold'"); },
                                 "the graph 'model' is broken after the pass 'fold'");
  EXPECT_THAT(text, HasSubstr("early"));
  EXPECT_THAT(text, HasSubstr("initializer 'w'"));
}

}  // namespace
}  // namespace espalier::ir
