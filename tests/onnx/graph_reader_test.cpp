#include "espalier/onnx/graph_reader.h"

#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

using Change = std::function<void(::onnx::ModelProto&)>;

constexpr std::string_view kChain = R"(agraph (float[N, 2] x) => (float[N, 2] y) {
  a = Relu (x)
  y = Neg (a)
})";

/// Expects that the chain, after the change, is refused with this text.
void expect_refused(const Change& change, std::string_view text) {
  kit::expect_user_error([&] { static_cast<void>(decode(raw_bytes(kChain, 17, change))); }, text);
}

::onnx::NodeProto& node(::onnx::ModelProto& model, int index) {
  return *model.mutable_graph()->mutable_node(index);
}

TEST(GraphReader, ConstantsBecomeInitializers) {
  const ir::Graph graph = read(R"(agraph (float[N, 2] x) => (float[N, 2] y) {
    c = Constant <value = float[2] {1, 2}> ()
    i = Constant <value_ints = [0, 2]> ()
    r = Reshape (x, i)
    y = Add (r, c)
  })");
  EXPECT_EQ(operators(graph), "Reshape Add");
  EXPECT_TRUE(graph.find_value("c")->is_initializer());
  EXPECT_EQ(ints_of(graph.find_value("i")), (ir::Ints{0, 2}));
}

TEST(GraphReader, IdentityOfAnInitializerOnlySharesIt) {
  const ir::Graph graph = read(R"(agraph (float[N, 2] x) => (float[N, 2] y)
  <float[2] w = {1, 2}> {
    same = Identity (w)
    again = Identity (same)
    a = Add (x, again)
    y = Mul (a, same)
  })");
  EXPECT_EQ(operators(graph), "Add Mul");
  EXPECT_EQ(graph.find_value("w")->uses().size(), 2U);
}

TEST(GraphReader, IdentityThatIsAnOutputStays) {
  const ir::Graph graph = read(R"(agraph (float[2] x) => (float[2] y, float[2] z)
  <float[2] w = {1, 2}> {
    z = Identity (w)
    y = Add (x, z)
  })");
  EXPECT_EQ(operators(graph), "Identity Add");
}

TEST(GraphReader, InitializersListedAsInputsAreNoInputs) {
  const ir::Graph graph = read(R"(<ir_version: 3, opset_import: ["" : 9]>
  agraph (float[1, 2] x, float[2] w) => (float[1, 2] y) <float[2] w = {1, 2}> {
    y = Add (x, w)
  })");
  EXPECT_EQ(graph.inputs().size(), 1U);
  EXPECT_TRUE(graph.find_value("w")->is_initializer());
}

TEST(GraphReader, EmptyNamesBecomeUniqueAndGivenOnesWin) {
  const std::string bytes = raw_bytes(kChain, 17, [](::onnx::ModelProto& model) {
    node(model, 0).set_name("");
    node(model, 1).set_name("Relu");
  });
  const ir::Graph graph = decode(bytes);
  EXPECT_EQ(graph.nodes()[0]->name(), "Relu_1");
  EXPECT_EQ(graph.nodes()[1]->name(), "Relu");
}

TEST(GraphReader, UnsortedNodesAreSorted) {
  const std::string bytes = raw_bytes(kChain, 17, [](::onnx::ModelProto& model) {
    model.mutable_graph()->mutable_node()->SwapElements(0, 1);
  });
  EXPECT_EQ(operators(decode(bytes)), "Relu Neg");
}

TEST(GraphReader, LeftOutInputsAndOutputsStayLeftOut) {
  const ir::Graph graph = read(R"(agraph (float[1, 1, 4, 4] x) => (float[1, 1, 2, 2] y)
  <float high = {6}> {
    c = Clip (x, , high)
    y, = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (c)
  })");
  EXPECT_EQ(only(graph, "Clip").input(1), nullptr);
  EXPECT_NE(only(graph, "Clip").input(2), nullptr);
}

TEST(GraphReader, AValueNamedMinusIsRenamed) {
  const std::string bytes = raw_bytes(kChain, 17, [](::onnx::ModelProto& model) {
    *node(model, 0).mutable_output(0) = "-";
    *node(model, 1).mutable_input(0) = "-";
  });
  const ir::Graph graph = decode(bytes);
  EXPECT_EQ(graph.nodes()[0]->output()->name(), "minus");
  EXPECT_EQ(graph.nodes()[1]->input(0), graph.nodes()[0]->output());
}

TEST(GraphReader, CyclesAreRefused) {
  expect_refused([](auto& model) { *node(model, 0).mutable_input(0) = "y"; },
                 "a node that needs its own output, expected a graph without cycles");
  expect_refused([](auto& model) { *node(model, 0).mutable_input(0) = "a"; }, "(Relu)");
}

TEST(GraphReader, MissingValuesAreRefused) {
  expect_refused([](auto& model) { *node(model, 1).mutable_input(0) = "ghost"; },
                 "(Neg): got the input 'ghost', expected an input, an initializer");
  expect_refused([](auto& model) { model.mutable_graph()->mutable_output(0)->set_name("ghost"); },
                 "output 'ghost': got no node that computes it");
  expect_refused([](auto& model) { model.mutable_graph()->clear_output(); },
                 "got no outputs, expected at least one output");
}

TEST(GraphReader, DuplicateNamesAreRefused) {
  expect_refused(
      [](auto& model) {
        node(model, 0).set_name("n");
        node(model, 1).set_name("n");
      },
      "got two nodes of this name, expected unique names");
  expect_refused([](auto& model) { *node(model, 1).mutable_output(0) = "a"; },
                 "got a second value 'a', expected unique names");
  expect_refused([](auto& model) { *node(model, 0).mutable_output(0) = "x"; },
                 "got a second value 'x', expected unique names");
  expect_refused([](auto& model) { *model.mutable_graph()->add_input() = model.graph().input(0); },
                 "value 'x': got two values of this name");
  expect_refused(
      [](auto& model) { *model.mutable_graph()->add_output() = model.graph().output(0); },
      "got two outputs of this name");
  expect_refused(
      [](auto& model) {
        for (int count = 0; count < 2; ++count) {
          auto& attribute = *node(model, 0).add_attribute();
          attribute.set_name("twice");
          attribute.set_type(::onnx::AttributeProto::INT);
        }
      },
      "two attributes named 'twice'");
}

TEST(GraphReader, DuplicateInitializersAreRefused) {
  const Change twice = [](::onnx::ModelProto& model) {
    for (int count = 0; count < 2; ++count) {
      auto& tensor = *model.mutable_graph()->add_initializer();
      tensor.set_name("w");
      tensor.set_data_type(::onnx::TensorProto::FLOAT);
      tensor.add_float_data(1);
    }
  };
  expect_refused(twice, "value 'w': got two values of this name");
}

TEST(GraphReader, NamelessThingsAreRefused) {
  expect_refused(
      [](auto& model) {
        model.mutable_graph()->add_initializer()->set_data_type(::onnx::TensorProto::FLOAT);
      },
      "an initializer: got an empty name");
  expect_refused([](auto& model) { node(model, 0).set_op_type(""); }, "got no operator");
  expect_refused([](auto& model) { node(model, 0).add_attribute()->set_name("espalier:captured"); },
                 "an attribute named 'espalier:captured'");
  expect_refused(
      [](auto& model) {
        model.mutable_graph()
            ->mutable_input(0)
            ->mutable_type()
            ->mutable_tensor_type()
            ->clear_elem_type();
      },
      "input 'x': got no element type");
}

TEST(GraphReader, SequencesAreUnsupported) {
  const std::string bytes = raw_bytes(kChain, 17, [](::onnx::ModelProto& model) {
    model.mutable_graph()->mutable_input(0)->mutable_type()->mutable_sequence_type();
  });
  kit::expect_unsupported([&] { static_cast<void>(decode(bytes)); },
                          "input 'x': got an input that is no tensor");
}

TEST(GraphReader, SparseConstantsAreCarried) {
  const std::string bytes =
      raw_bytes(R"(agraph (float[2] x) => (float[2] y) {
    y = custom.Frobnicate (x, s)
  })",
                17, [](::onnx::ModelProto& model) {
                  auto& sparse = *model.mutable_graph()->add_sparse_initializer();
                  sparse.mutable_values()->set_name("s");
                  sparse.mutable_values()->set_data_type(::onnx::TensorProto::FLOAT);
                  sparse.add_dims(2);
                });
  EXPECT_EQ(operators(decode(bytes)), "Constant Frobnicate");
  EXPECT_EQ(operators(decode(encode(decode(bytes)))), "Constant Frobnicate");
}

TEST(GraphReader, FactsOfTheFileAreKept) {
  const std::string bytes = raw_bytes(kChain, 17, [](::onnx::ModelProto& model) {
    model.set_producer_name("somebody");
    model.set_producer_version("2");
    model.set_doc_string("about it");
    auto& entry = *model.add_metadata_props();
    entry.set_key("k");
    entry.set_value("v");
  });
  const ir::Graph graph = decode(bytes);
  EXPECT_EQ(graph.producer, "somebody 2");
  EXPECT_EQ(graph.documentation, "about it");
  EXPECT_EQ(graph.metadata.at("k"), "v");
  EXPECT_EQ(decode(encode(graph)).metadata.at("k"), "v");
}

}  // namespace
}  // namespace espalier::onnx
