#include "espalier/quant/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/quant/target.h"
#include "tests/kit/expect_error.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::graph_of;
using quant_test::placed;

constexpr std::string_view kChain =
    "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4] b, float[4,4,1,1] v) => (float[N,4,8,8] y)"
    " { [c1] a = Conv(x, w, b) [relu] r = Relu(a) [c2] y = Conv(r, v) }";

TEST(Placement, PutsTheQuantizerBehindAMergedActivation) {
  EXPECT_EQ(placed(kChain, "x86"), "{x} {r} {y} | output:0 c1:0 c2:0 | ");
}

TEST(Placement, LeavesTheOutputFloatWhereTheEngineDoesNotNeedIt) {
  EXPECT_EQ(placed(kChain, "openvino"), "{x} {r} | c1:0 c2:0 | ");
  EXPECT_EQ(placed(kChain, "tensorrt"), "{x} {r} | c1:0 c2:0 | ");
}

// ONNX Runtime fuses Gemm and Relu in float when the result is not quantized.
TEST(Placement, QuantizesWhatAHiddenProductGivesToAFloatHead) {
  const std::string_view text =
      "g (float[N,8] x, float[8,8] w, float[8,4] v) => (float[N,4] y)"
      " { [g1] a = Gemm(x, w) [relu] r = Relu(a) [g2] y = Gemm(r, v) }";
  EXPECT_EQ(placed(text, "x86", {.quantize_last = false}), "{x} {r} | g1:0 g2:0 | g2");
  EXPECT_EQ(placed(text, "openvino", {.quantize_last = false}), "{x} | g1:0 | g2");
  const std::string_view ending =
      "g (float[N,8] x, float[8,8] w) => (float[N,8] y) { [g1] a = Gemm(x, w) y = Relu(a) }";
  EXPECT_EQ(placed(ending, "x86"), "{x} | g1:0 | ");
}

TEST(Placement, QuantizesOnlyLayerInputsForTheGenericTarget) {
  EXPECT_EQ(placed(kChain, "generic"), "{x} {r} | c1:0 c2:0 | relu");
}

TEST(Placement, ListsLayersWithTheirWeights) {
  const ir::Graph graph = graph_of(kChain);
  const Placement placement = place_quantizers(graph, find_target("x86"), {});
  ASSERT_EQ(placement.layers.size(), 2U);
  EXPECT_EQ(placement.layers[0].node, "c1");
  EXPECT_EQ(placement.layers[0].input, "x");
  EXPECT_EQ(placement.layers[0].weight, "w");
  EXPECT_EQ(placement.layers[0].bias, "b");
  EXPECT_EQ(placement.layers[0].axis, 0);
  EXPECT_EQ(placement.layers[1].input, "r");
  EXPECT_EQ(placement.layers[1].bias, "");
}

TEST(Placement, KnowsTheBoundsOfMergedActivations) {
  const ir::Graph graph = graph_of(kChain);
  const Placement placement = place_quantizers(graph, find_target("x86"), {});
  EXPECT_EQ(placement.groups[0].bounds, ops::OutputRange{});
  EXPECT_EQ(placement.groups[1].values.front(), "r");
  EXPECT_EQ(placement.groups[1].bounds.low, 0);
}

constexpr std::string_view kResidual =
    "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v, float[4,4,1,1] u)"
    " => (float[N,4,8,8] y)"
    " { [c1] a = Conv(x, w) [r1] r = Relu(a) [c2] b = Conv(r, v) [add] s = Add(b, r)"
    "   [r2] t = Relu(s) [c3] z = Conv(t, u) [neg] y = Neg(z) }";

TEST(Placement, QuantizesBothAddendsOnX86) {
  EXPECT_EQ(placed(kResidual, "x86"),
            "{x} {r} {b} {t} {z} | add:0 add:1 c1:0 c2:0 c3:0 neg:0 | neg");
}

TEST(Placement, QuantizesTheSkipBranchAloneForTensorRt) {
  EXPECT_EQ(placed(kResidual, "tensorrt"), "{x} {r} {t} | add:1 c1:0 c2:0 c3:0 | neg");
}

TEST(Placement, OpenVinoAddsInsideALayer) {
  EXPECT_EQ(placed(kResidual, "openvino"), placed(kResidual, "tensorrt"));
  // No addend is a layer's alone: both are quantized.
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[N,4,8,8] y)"
      " { [c1] a = Conv(x, w) [relu] r = Relu(a) [pool] p = MaxPool<kernel_shape=[1,1]>(r)"
      "   [add] s = Add(r, p) [c2] y = Conv(s, v) }";
  EXPECT_EQ(placed(text, "openvino"), "{x} {r p} {s} | add:0 add:1 c1:0 c2:0 pool:0 | ");
  EXPECT_EQ(placed(text, "tensorrt"), "{x} {s} | c1:0 c2:0 | add");
}

// Both addends are layers: the one on the longer way is fused, the other one is quantized.
TEST(Placement, FusesTheLongerBranchForTensorRt) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v, float[4,4,1,1] u)"
      " => (float[N,4,8,8] y)"
      " { [short] a = Conv(x, w) [c1] b = Conv(x, v) [c2] c = Conv(b, u) [add] y = Add(a, c) }";
  EXPECT_EQ(placed(text, "tensorrt"), "{x} {a} {b} | add:0 c1:0 c2:0 short:0 | ");
}

TEST(Placement, DoesNotMergeAnActivationThatIsNotAlone) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[N,4,8,8] y)"
      " { [c1] a = Conv(x, w) [relu] r = Relu(a) [c2] b = Conv(r, v) [add] s = Add(a, b)"
      "   [neg] y = Neg(s) }";
  EXPECT_EQ(placed(text, "x86"),
            "{x} {a} {r} {b} {s} | add:0 add:1 c1:0 c2:0 neg:0 relu:0 | relu neg");
}

TEST(Placement, SharesParametersThroughMovement) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v, float[1,16] u) => (float[N,1] y)"
      " { [c1] a = Conv(x, w) [relu] r = Relu(a) [pool] p = MaxPool<kernel_shape=[4,4], "
      "strides=[4,4]>(r) [c2] b = Conv(p, v) [flat] f = Flatten(b) [gemm] y = Gemm<transB=1>(f, u) "
      "}";
  EXPECT_EQ(placed(text, "x86"), "{x} {r p} {b f} | c1:0 c2:0 flat:0 gemm:0 pool:0 | ");
  const ir::Graph graph = graph_of(text);
  const Placement placement = place_quantizers(graph, find_target("x86"), {});
  EXPECT_THAT(placement.groups[1].observed, testing::ElementsAre("p"));
  EXPECT_THAT(placement.groups[2].observed, testing::ElementsAre("f"));
}

// Slice and zero Pad of a parameter-free shortcut lose nothing; Pad with another value does.
TEST(Placement, PadsWithZeroOnly) {
  const auto text = [](std::string_view pad) {
    return "g (float[N,2,8,8] x, float[2,2,1,1] w, float[4,2,1,1] v) => (float[N,4,8,8] y)"
           " <int64[8] pads = {0,1,0,0,0,1,0,0}, float fill = {1.0}>"
           " { [c1] a = Conv(x, w) [pad] p = Pad(" +
           std::string(pad) + ") [c2] b = Conv(a, v) [add] s = Add(p, b) [neg] y = Neg(s) }";
  };
  EXPECT_EQ(placed(text("a, pads"), "x86"),
            "{x} {a p} {b} {s} | add:0 add:1 c1:0 c2:0 neg:0 pad:0 | neg");
  EXPECT_EQ(placed(text("a, pads, fill"), "x86"),
            "{x} {a} {p} {b} {s} | add:0 add:1 c1:0 c2:0 neg:0 pad:0 | pad neg");
}

constexpr std::string_view kConcat =
    "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v, float[4,8,1,1] u)"
    " => (float[N,4,8,8] y)"
    " { [c1] a = Conv(x, w) [r1] r = Relu(a) [c2] b = Conv(x, v) [r2] s = Relu(b)"
    "   [cat] c = Concat<axis=1>(r, s) [c3] z = Conv(c, u) [neg] y = Neg(z) }";

TEST(Placement, NamesGroupsThatWantOneScale) {
  const ir::Graph graph = graph_of(kConcat);
  const Placement x86 = place_quantizers(graph, find_target("x86"), {});
  ASSERT_EQ(x86.shared.size(), 1U);
  EXPECT_EQ(x86.shared[0].node, "cat");
  EXPECT_THAT(x86.shared[0].groups, testing::ElementsAre(1, 2, 3));
  EXPECT_TRUE(place_quantizers(graph, find_target("onnxruntime"), {}).shared.empty());
  EXPECT_EQ(placed(kConcat, "x86"), "{x} {r} {s} {c} {z} | c1:0 c2:0 c3:0 cat:0 cat:1 neg:0 | neg");
}

TEST(Placement, LeavesAConcatFloatThatNothingReadsQuantized) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[N,8,8,8] y)"
      " { [c1] a = Conv(x, w) [c2] b = Conv(x, v) [cat] y = Concat<axis=1>(a, b) }";
  EXPECT_EQ(placed(text, "x86"), "{x} {a} {b} | c1:0 c2:0 cat:0 cat:1 | cat");
}

constexpr std::string_view kSilu =
    "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[N,4,8,8] y)"
    " { [c1] a = Conv(x, w) [sig] s = Sigmoid(a) [mul] m = Mul(a, s) [c2] z = Conv(m, v)"
    "   [neg] y = Neg(z) }";

TEST(Placement, TreatsSiluAsTheEngineDoes) {
  EXPECT_EQ(placed(kSilu, "x86"), "{x} {a} {s} {m} {z} | c1:0 c2:0 mul:0 mul:1 neg:0 sig:0 | neg");
  EXPECT_EQ(placed(kSilu, "openvino"), "{x} {m} | c1:0 c2:0 | neg");
  EXPECT_EQ(placed(kSilu, "tensorrt"), "{x} {m} | c1:0 c2:0 | neg");
}

TEST(Placement, LeavesOperatorsFloatThatIntegersDoNotReach) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,1,1] m, float[4,4,1,1] w) => (float[N,4,8,8] y)"
      " { [scale] a = Mul(x, m) [conv] b = Conv(a, w) [neg] y = Neg(b) }";
  EXPECT_EQ(placed(text, "x86"), "{a} {b} | conv:0 neg:0 | scale neg");
}

TEST(Placement, QuantizesConstantOperands) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,1,1] m, float[4,4,1,1] w, float[4,4,1,1] v)"
      " => (float[N,4,8,8] y)"
      " { [c1] a = Conv(x, w) [scale] b = Mul(a, m) [c2] c = Conv(b, v) [neg] y = Neg(c) }";
  const Placement placement = place_quantizers(graph_of(text), find_target("x86"), {});
  EXPECT_THAT(placement.constants, testing::ElementsAre("m"));
  EXPECT_EQ(placed(text, "x86"), "{x} {a} {b} {c} | c1:0 c2:0 neg:0 scale:0 | neg");
}

TEST(Placement, TakesAProductAndItsAdditionForOneLayer) {
  const std::string_view text =
      "g (float[N,8] x, float[8,4] w, float[4] b, float[4,2] v) => (float[N,2] y)"
      " { [m1] a = MatMul(x, w) [add] s = Add(a, b) [relu] r = Relu(s) [m2] y = MatMul(r, v) }";
  EXPECT_EQ(placed(text, "x86"), "{x} {r} | m1:0 m2:0 | ");
}

TEST(Placement, SkipsByNameAndByOperator) {
  EXPECT_EQ(placed(kChain, "x86", {.skip = {"c1"}}), "{r} {y} | output:0 c2:0 | c1 relu");
  EXPECT_EQ(placed(kChain, "x86", {.skip = {"Conv"}}), " |  | c1 relu c2");
  EXPECT_EQ(placed(kChain, "x86", {.skip = {"c*"}}), " |  | c1 relu c2");
  const std::string text = kit::expect_user_error(
      [] { (void)placed(kChain, "x86", {.skip = {"conv"}}); }, "a skip pattern matches nothing");
  EXPECT_THAT(text, testing::HasSubstr("'conv'"));
}

TEST(Placement, TellsWhatOptionsLeaveOutFromWhatTheTargetDoes) {
  const ir::Graph graph = graph_of(kChain);
  const auto asked = [&](const PlacementOptions& options) {
    std::string names;
    for (const FloatNode& node : place_quantizers(graph, find_target("x86"), options).float_nodes) {
      names += node.node + (node.asked ? "! " : " ");
    }
    return names;
  };
  EXPECT_EQ(asked({.skip = {"c1"}}), "c1! relu ");
  EXPECT_EQ(asked({.quantize_last = false}), "c2! ");
  EXPECT_EQ(asked({.keep_float = {{"c1", "measured"}}}), "c1 relu ");
}

TEST(Placement, KeepsFirstAndLastLayersFloatOnRequest) {
  EXPECT_EQ(placed(kChain, "x86", {.quantize_first = false}), "{r} {y} | output:0 c2:0 | c1 relu");
  EXPECT_EQ(placed(kChain, "x86", {.quantize_last = false}), "{x} {r} | c1:0 c2:0 | c2");
  EXPECT_EQ(placed(kChain, "x86", {.keep_float = {{"c1", "because"}}}),
            "{r} {y} | output:0 c2:0 | c1 relu");
}

TEST(Placement, KeepsLayersFloatWhoseWeightIsSharedWithOthers) {
  const std::string_view text =
      "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4,4,1,1] v) => (float[N,4,8,8] y)"
      " { [c1] a = Conv(x, w) [c2] b = Conv(a, w) [c3] c = Conv(b, v) [odd] o = Neg(v)"
      "   [add] y = Add(c, o) }";
  EXPECT_EQ(placed(text, "generic"), "{x} {a} | c1:0 c2:0 | c3 odd add");
}

TEST(Placement, HandlesLongChains) {
  std::string text = "g (float[N,4,8,8] x, float[4,4,1,1] w) => (float[N,4,8,8] y) { ";
  std::string last = "x";
  for (int index = 0; index < 3000; ++index) {
    const std::string next = "t" + std::to_string(index);
    text += next + " = Transpose<perm=[0,1,3,2]>(" + last + ") ";
    last = next;
  }
  text += "[conv] y = Conv(" + last + ", w) }";
  const ir::Graph graph = graph_of(text);
  EXPECT_EQ(place_quantizers(graph, find_target("x86"), {}).groups.size(), 2U);
}

}  // namespace
}  // namespace espalier::quant
