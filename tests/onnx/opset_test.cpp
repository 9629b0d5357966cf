#include "espalier/onnx/opset.h"

#include <set>

#include <gmock/gmock.h>

#include "espalier/onnx/adapters/adapter.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/schema.h"
#include "espalier/onnx/shapes.h"
#include "tests/kit/expect_error.h"
#include "tests/onnx/raw_model.h"

namespace espalier::onnx {
namespace {

TEST(Opset, EveryAdapterStandsWhereItsOperatorChanged) {
  std::set<std::pair<std::string_view, std::int64_t>> seen;
  for (const Adapter& row : upgrades()) {
    EXPECT_TRUE(seen.emplace(row.op, row.opset).second) << row.op << row.opset;
    // Upsample is the one that is left behind: it ended with opset 10.
    if (row.op == "Upsample") continue;
    EXPECT_EQ(since_version(std::string(row.op), row.opset) == row.opset || row.op == "Scatter",
              true)
        << row.op << row.opset;
  }
  seen.clear();
  for (const Adapter& row : downgrades()) {
    EXPECT_TRUE(seen.emplace(row.op, row.opset).second) << row.op << row.opset;
    EXPECT_EQ(since_version(std::string(row.op), row.opset), row.opset) << row.op;
    EXPECT_GT(row.opset, kOldestOpset) << row.op;
  }
}

TEST(Opset, UpAndDownAgainIsTheSame) {
  const std::string_view text =
      R"(agraph (float[N, 4, 6] x) => (float[N, 4, 1] y, float[A, B, C] z) {
    y = ReduceMean <axes = [2]> (x)
    a, b = Split <axis = 1> (x)
    z = Mul (a, b)
  })";
  ir::Graph graph = read(text);
  const std::string before = encode(graph);
  convert_opset(graph, 23);
  EXPECT_EQ(graph.opsets.at(""), 23);
  EXPECT_EQ(ints_of(only(graph, "ReduceMean").input(1)), ir::Ints{2});
  EXPECT_EQ(only(graph, "Split").get_int("num_outputs"), 2);
  infer_shapes(graph);
  convert_opset(graph, 17);
  EXPECT_EQ(encode(graph), before);
}

TEST(Opset, SubgraphsMayNotNeedConversion) {
  const std::string_view text = R"(agraph (float[2, 3] x, bool flag) => (float[A, B] y) {
    y = If (flag) <
      then_branch = first () => (float[A, B] t) { t = ReduceMean <axes = [1]> (x) },
      else_branch = second () => (float[2, 3] e) { e = Identity (x) }>
  })";
  const ir::Graph graph = read(text, 17);
  EXPECT_FALSE(encode(graph, {.opset = 16}).empty());
  const std::string message = kit::expect_unsupported(
      [&] { static_cast<void>(encode(graph, {.opset = 18})); }, "(If): got ReduceMean inside");
  EXPECT_THAT(message, testing::HasSubstr("differs between opsets 17 and 18"));
}

TEST(Opset, OpaqueOperatorsPass) {
  const ir::Graph graph = read("agraph (float[2] x) => (float[2] y) { y = Frobnicate (x) }", 17);
  EXPECT_FALSE(encode(graph, {.opset = 23}).empty());
}

TEST(Opset, TargetsOutsideAreUnsupported) {
  ir::Graph graph = read("agraph (float[2] x) => (float[2] y) { y = Relu (x) }");
  kit::expect_unsupported([&] { convert_opset(graph, 30); }, "got opset 30, expected 13 to 23");
}

TEST(Opset, TypesThatCameLaterAreNamed) {
  const ir::Graph graph = read(
      "agraph (bfloat16[1, 1, 4, 4] x) => (bfloat16[A, B, C, D] y) { y = GlobalAveragePool (x) }",
      22);
  kit::expect_unsupported([&] { static_cast<void>(encode(graph, {.opset = 17})); },
                          "got input 0 of type bfloat16, expected opset 22 or later");
}

}  // namespace
}  // namespace espalier::onnx
