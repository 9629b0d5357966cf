#include "espalier/onnx/text.h"

#include <gmock/gmock.h>

#include "espalier/onnx/codec.h"
#include "tests/kit/expect_error.h"

namespace espalier::onnx {
namespace {

TEST(Text, ParsesAndPrints) {
  const ir::Graph graph = parse("agraph (float[N] x) => (float[N] y) { [first] y = Relu (x) }");
  EXPECT_EQ(graph.opsets.at(""), 17);
  EXPECT_NE(graph.find_node("first"), nullptr);
  const std::string text = print(graph);
  EXPECT_THAT(text, testing::HasSubstr("Relu"));
  EXPECT_EQ(encode(parse(text)), encode(graph));
}

TEST(Text, OwnEnvelope) {
  const ir::Graph graph = parse(R"(<ir_version: 10, opset_import: ["" : 21]>
    agraph (float[N] x) => (float[N] y) { y = Gelu (x) })");
  EXPECT_EQ(graph.opsets.at(""), 21);
  EXPECT_THAT(print(graph), testing::HasSubstr("Gelu"));
}

TEST(Text, NonsenseIsRefused) {
  kit::expect_user_error([] { static_cast<void>(parse("agraph (float[N] x) => {")); },
                         "cannot parse the model text");
  kit::expect_user_error([] { static_cast<void>(parse("")); }, "cannot parse the model text");
}

}  // namespace
}  // namespace espalier::onnx
