#include "espalier/passes/fuse_pad_into_conv.h"

#include <gtest/gtest.h>

#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

using passes_test::apply;
using passes_test::expect_unchanged;
using passes_test::graph_of;
using passes_test::ops_of;

std::string padded(const std::string& pads, const std::string& body) {
  return "g (float[N,3,7,7] x, float[4,3,3,3] w) => (float[N,4,H,W] y)"
         " { p = Constant<value_ints=[" +
         pads + "]>() " + body + " }";
}

TEST(FusePadIntoConv, AddsAsymmetricPads) {
  ir::Graph graph = graph_of(
      padded("0,0,0,1,0,0,2,3", "a = Pad(x, p) y = Conv<pads=[1,1,0,0], strides=[2,2]>(a, w)"));
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fuse_pad_into_conv(), graph), 1U);
  EXPECT_EQ(ops_of(graph), "Conv");
  EXPECT_EQ(graph.nodes()[0]->get_ints("pads", {}), (ir::Ints{1, 2, 2, 3}));
  passes_test::expect_same_outputs(graph, before);
}

TEST(FusePadIntoConv, ReplacesAutoPadValid) {
  ir::Graph graph =
      graph_of(padded("0,0,1,1,0,0,1,1", "a = Pad(x, p) y = Conv<auto_pad=\"VALID\">(a, w)"));
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fuse_pad_into_conv(), graph), 1U);
  EXPECT_FALSE(graph.nodes()[0]->has("auto_pad"));
  passes_test::expect_same_outputs(graph, before);
}

TEST(FusePadIntoConv, ReadsAxesOfOpset18) {
  ir::Graph graph = graph_of(
      "<ir_version: 8, opset_import: [\"\": 18]>"
      "g (float[N,3,7,7] x, float[4,3,3,3] w) => (float[N,4,8,6] y)"
      " { p = Constant<value_ints=[1,2]>() t = Constant<value_ints=[-2]>()"
      "   a = Pad(x, p, , t) y = Conv(a, w) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fuse_pad_into_conv(), graph), 1U);
  EXPECT_EQ(graph.nodes()[0]->get_ints("pads", {}), (ir::Ints{1, 0, 2, 0}));
  passes_test::expect_same_outputs(graph, before);
}

TEST(FusePadIntoConv, TakesAveragePoolsThatCountPadding) {
  for (const char* pool : {"AveragePool<kernel_shape=[3,3], strides=[2,2]>",
                           "AveragePool<kernel_shape=[3,3], pads=[1,1,1,1],"
                           " count_include_pad=1>"}) {
    ir::Graph graph = graph_of(
        "g (float[N,3,7,7] x) => (float[N,3,H,W] y) { p = Constant<value_ints=[0,0,1,1,0,0,1,1]>()"
        " a = Pad(x, p) y = " +
        std::string(pool) + "(a) }");
    const ir::Graph before = graph.clone();
    EXPECT_EQ(apply(fuse_pad_into_conv(), graph), 1U);
    passes_test::expect_same_outputs(graph, before);
  }
}

TEST(FusePadIntoConv, KeepsThePadForItsOtherUsers) {
  ir::Graph graph = graph_of(
      "g (float[N,3,7,7] x, float[4,3,3,3] w) => (float[N,4,7,7] y, float[N,3,9,9] z)"
      " { p = Constant<value_ints=[0,0,1,1,0,0,1,1]>() a = Pad(x, p) y = Conv(a, w) z = Relu(a) }");
  const ir::Graph before = graph.clone();
  EXPECT_EQ(apply(fuse_pad_into_conv(), graph), 1U);
  EXPECT_EQ(ops_of(graph), "Pad Conv Relu");
  passes_test::expect_same_outputs(graph, before);
}

TEST(FusePadIntoConv, KeepsOtherPads) {
  const std::string conv = " y = Conv(a, w)";
  expect_unchanged(fuse_pad_into_conv(),
                   padded("0,0,1,1,0,0,1,1", "a = Pad<mode=\"reflect\">(x, p)" + conv));
  expect_unchanged(
      fuse_pad_into_conv(),
      padded("0,0,1,1,0,0,1,1", "v = Constant<value_float=1.0>() a = Pad(x, p, v)" + conv));
  expect_unchanged(fuse_pad_into_conv(), padded("0,0,-1,0,0,0,0,0", "a = Pad(x, p)" + conv));
  expect_unchanged(fuse_pad_into_conv(), padded("1,0,0,0,0,0,0,0", "a = Pad(x, p)" + conv));
  expect_unchanged(
      fuse_pad_into_conv(),
      padded("0,0,1,1,0,0,1,1", "a = Pad(x, p) y = Conv<auto_pad=\"SAME_UPPER\">(a, w)"));
  expect_unchanged(fuse_pad_into_conv(), padded("0,0,1,1,0,0,1,1",
                                                "a = Pad(x, p) b = Conv(x, w)"
                                                " y = MaxPool<kernel_shape=[3,3]>(a)"));
}

}  // namespace
}  // namespace espalier::passes
