#include "espalier/passes/fake_quantize_node.h"

#include <gtest/gtest.h>

#include "espalier/ir/verifier.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

constexpr std::string_view kFakeQuantizeNodeText =
    "g (float[N,2] x, float[3,2] w) => (float[N,3] y) { y = Gemm<transB=1>(x, w) }";

tensor::QuantParams per_tensor() {
  return {.grid = {}, .scale = {0.05F}, .zero_point = {120}, .axis = -1};
}

tensor::QuantParams per_channel() {
  return {.grid = {.bits = 8, .is_signed = true, .narrow = true},
          .scale = {0.01F, 0.02F, 0.04F},
          .zero_point = {0, 0, 0},
          .axis = 0};
}

TEST(FakeQuantizeNode, ComputesTensorFakeQuantize) {
  ir::Graph graph = passes_test::graph_of(kFakeQuantizeNodeText);
  ir::Value& weight = *graph.find_value("w");
  ir::Node& node = add_fake_quantize(graph, weight, per_channel());
  graph.add_output(*node.output());
  ir::Node& input = add_fake_quantize(graph, *graph.find_value("x"), per_tensor());
  graph.add_output(*input.output());
  EXPECT_TRUE(ir::verify(graph).empty());
  EXPECT_EQ(node.name(), "w_fake_quantize");
  EXPECT_EQ(node.output()->name(), "w_dq");
  EXPECT_EQ(graph.opsets.at("espalier"), 1);
  const auto outputs = passes_test::run_graph(graph, {.dtype = tensor::DType::Float32});
  EXPECT_THAT(outputs.at("w_dq"),
              kit::HasSameBits(tensor::fake_quantize(weight.constant(), per_channel())));
  EXPECT_EQ(fake_quantize_behind(node.output()), &node);
  EXPECT_EQ(fake_quantize_behind(&weight), nullptr);
}

TEST(FakeQuantizeNode, GivesTheCodesOfTensorQuantize) {
  ir::Graph graph = passes_test::graph_of(kFakeQuantizeNodeText);
  ir::Value& weight = *graph.find_value("w");
  const ir::Node& node = add_fake_quantize(graph, weight, per_channel());
  const FakeQuantizeParams params = fake_quantize_params(node);
  EXPECT_EQ(params.qmin, -127);
  EXPECT_EQ(params.qmax, 127);
  EXPECT_EQ(params.axis, 0);
  EXPECT_THAT(quantize_codes(weight.constant(), params),
              kit::HasSameBits(tensor::quantize(weight.constant(), per_channel())));
}

struct BadNode {
  std::string name;
  std::function<void(ir::Graph&, ir::Node&)> spoil;
  std::string message;
};

TEST(FakeQuantizeNode, RefusesBadParameters) {
  const std::vector<BadNode> rows{
      {"negative scale",
       [](ir::Graph& graph, ir::Node& node) {
         graph.set_constant(*node.input(1), kit::tensor_of({0.1F, -1, 1}));
       },
       "expected positive finite scales"},
      {"other count",
       [](ir::Graph& graph, ir::Node& node) {
         graph.set_constant(*node.input(1), kit::tensor_of({0.1F, 1}));
       },
       "got 2 scales and 3 zero points"},
      {"zero point outside",
       [](ir::Graph& graph, ir::Node& node) {
         graph.set_constant(*node.input(2), kit::integers_of({0, 0, 128}).to(at::kInt));
       },
       "expected -127..127"},
      {"no axis", [](ir::Graph&, ir::Node& node) { node.remove("axis"); },
       "got 3 scales without an axis"},
      {"axis beyond the rank",
       [](ir::Graph&, ir::Node& node) { node.set("axis", std::int64_t{2}); },
       "got axis 2, expected an axis below the rank 2"},
      {"axis of another size",
       [](ir::Graph&, ir::Node& node) { node.set("axis", std::int64_t{1}); },
       "got 3 scales, expected 2, the size of axis 1"},
      {"no value", [](ir::Graph& graph, ir::Node& node) { graph.set_input(node, 0, nullptr); },
       "got no value"},
      {"computed scale",
       [](ir::Graph& graph, ir::Node& node) { graph.set_input(node, 1, graph.inputs()[0]); },
       "got a computed scale"},
  };
  for (const BadNode& row : rows) {
    ir::Graph graph = passes_test::graph_of(kFakeQuantizeNodeText);
    ir::Node& node = add_fake_quantize(graph, *graph.find_value("w"), per_channel());
    row.spoil(graph, node);
    const std::string text =
        kit::expect_user_error([&] { (void)fake_quantize_params(node); }, row.message);
    EXPECT_NE(text.find("node 'w_fake_quantize'"), std::string::npos) << row.name;
  }
}

}  // namespace
}  // namespace espalier::passes
