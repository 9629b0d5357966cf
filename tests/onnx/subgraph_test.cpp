#include "espalier/onnx/subgraph.h"

#include <gmock/gmock.h>

#include "espalier/onnx/codec.h"
#include "tests/kit/expect_error.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

using testing::ElementsAre;

constexpr std::string_view kNested = R"(agraph (float[2] x, float[2] k, bool flag) => (float[2] y) {
  y = If (flag) <
    then_branch = first () => (float[2] t) {
      u = Abs (x)
      t = If (flag) <
        then_branch = third () => (float[2] p) { p = Add (u, k) },
        else_branch = fourth () => (float[2] q) { q = Identity (u) }>
    },
    else_branch = second () => (float[2] e) { e = Identity (x) }>
})";

::onnx::NodeProto the_node() {
  return raw_model(kNested).graph().node(0);
}

const ::onnx::AttributeProto& branch(const ::onnx::NodeProto& node, const std::string& name) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return attribute;
  }
  throw std::invalid_argument(name);
}

TEST(Subgraph, CapturedNamesAreThoseOfOuterValues) {
  EXPECT_THAT(captured_names(the_node()), ElementsAre("flag", "k", "x"));
}

TEST(Subgraph, DefinedNamesReachEveryDepth) {
  EXPECT_THAT(defined_names(branch(the_node(), "then_branch")), ElementsAre("p", "q", "t", "u"));
}

TEST(Subgraph, InnerNodesAreVisited) {
  std::vector<std::string> seen;
  for_each_inner_node(branch(the_node(), "then_branch"),
                      [&](const ::onnx::NodeProto& node) { seen.push_back(node.op_type()); });
  EXPECT_THAT(seen, testing::UnorderedElementsAre("Abs", "If", "Add", "Identity"));
}

TEST(Subgraph, RenamingReachesEveryUse) {
  ::onnx::NodeProto node = the_node();
  for (auto& attribute : *node.mutable_attribute()) {
    rename_values(attribute, {{"x", "outer"}, {"u", "inner"}});
  }
  EXPECT_THAT(captured_names(node), ElementsAre("flag", "k", "outer"));
  EXPECT_THAT(defined_names(branch(node, "then_branch")), ElementsAre("inner", "p", "q", "t"));
}

TEST(Subgraph, FormalInputsLeaveOutTheCaptured) {
  const ir::Graph graph = read(kNested);
  const ir::Node& node = only(graph, "If");
  EXPECT_EQ(node.inputs().size(), 4U);
  EXPECT_EQ(num_formal_inputs(node), 1U);
  const ir::Graph plain = read("agraph (float[2] x) => (float[2] y) { y = Add (x, x) }");
  EXPECT_EQ(num_formal_inputs(only(plain, "Add")), 2U);
}

TEST(Subgraph, ExternalDataInsideIsUnsupported) {
  const std::string bytes = raw_bytes(kNested, 17, [](::onnx::ModelProto& model) {
    auto& attribute = *model.mutable_graph()->mutable_node(0)->mutable_attribute(0);
    auto& tensor = *attribute.mutable_g()->add_initializer();
    tensor.set_name("w");
    tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
  });
  kit::expect_unsupported([&] { static_cast<void>(decode(bytes)); },
                          "external data inside a subgraph");
}

}  // namespace
}  // namespace espalier::onnx
