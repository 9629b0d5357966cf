#include "espalier/quant/planner.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

using quant_test::calibrated;
using quant_test::graph_of;

constexpr std::string_view kPlannerText =
    "g (float[N,3,8,8] x, float[8,3,3,3] w, float[8] b, float[8,8,1,1] v, float[8] c,"
    "   float[4,8] u, float[4] d) => (float[N,4] y)"
    " { [c1] a = Conv<pads=[1,1,1,1]>(x, w, b) [r1] r = Relu(a)"
    "   [c2] e = Conv(r, v, c) [add] s = Add(e, r) [r2] t = Relu(s)"
    "   [pool] p = GlobalAveragePool(t) [flat] f = Flatten(p) [gemm] y = Gemm<transB=1>(f, u, d) }";

QuantPlan plan_with(const PlanOptions& options) {
  const ir::Graph graph = graph_of(kPlannerText);
  return make_plan(graph, calibrated(graph, options.target), options);
}

TEST(Planner, ObservesWhatItNeeds) {
  EXPECT_THAT(values_to_observe(graph_of(kPlannerText), {}),
              testing::ElementsAre("x", "r", "e", "t", "f", "p"))
      << "p takes the place of f when the last layer is spared";
  EXPECT_THAT(values_to_observe(graph_of(kPlannerText), {.float_mac_share = 0}),
              testing::ElementsAre("x", "r", "e", "t", "f"));
  EXPECT_THAT(values_to_observe(graph_of(kPlannerText), {.target = "generic"}),
              testing::ElementsAre("x", "r", "f"));
}

TEST(Planner, MakesAWholePlan) {
  const QuantPlan plan = plan_with({});
  EXPECT_EQ(plan.target, "x86");
  EXPECT_EQ(plan.model_id.size(), 16U);
  EXPECT_EQ(plan.calibration, "16 samples, micro-batches of 4");
  std::vector<std::string> values;
  for (const auto& [name, entry] : plan.activations) values.push_back(name);
  EXPECT_THAT(values, testing::ElementsAre("e", "f", "p", "r", "t", "x"));
  EXPECT_THAT(plan.weights, testing::SizeIs(3));
  EXPECT_EQ(plan.biases.at("c1"), "b");
  EXPECT_EQ(plan.biases.at("gemm"), "d");
  EXPECT_TRUE(plan.float_nodes.empty());
  EXPECT_EQ(plan.activations.at("p"), plan.activations.at("f"));
}

TEST(Planner, TransposedConvolutionsHaveOneScaleWhereOpenVinoRuns) {
  const ir::Graph graph = graph_of(
      "g (float[N,3,8,8] x, float[8,3,3,3] w, float[8] b, float[8,4,2,2] v) => (float[N,4,14,14] y)"
      " { c = Conv(x, w, b) t = ConvTranspose<strides=[2,2]>(c, v) r = Relu(t) y = Neg(r) }");
  const auto has_scales = [&](const std::string& target, std::optional<bool> asked) {
    const PlanOptions options{.target = target, .per_channel = asked, .float_mac_share = 0};
    const QuantPlan plan = make_plan(graph, calibrated(graph, target), options);
    EXPECT_TRUE(asked == false || plan.weights.at("w").params.per_channel()) << target;
    return plan.weights.at("v").params.per_channel();
  };
  EXPECT_FALSE(has_scales("x86", std::nullopt));
  EXPECT_FALSE(has_scales("openvino", std::nullopt));
  EXPECT_TRUE(has_scales("onnxruntime", std::nullopt));
  EXPECT_TRUE(has_scales("tensorrt", std::nullopt));
  EXPECT_TRUE(has_scales("x86", true)) << "the user said so";
  EXPECT_FALSE(has_scales("onnxruntime", false));
}

TEST(Planner, IsAPureFunction) {
  EXPECT_EQ(plan_with({}), plan_with({}));
}

TEST(Planner, PutsTheZeroOfReluAtTheLowestCode) {
  for (const RangeMethod& method : range_methods()) {
    const QuantPlan plan = plan_with({.method = std::string(method.name)});
    for (const std::string value : {"r", "t", "p"}) {
      EXPECT_EQ(plan.activations.at(value).params.zero_point[0], 0) << method.name << " " << value;
      EXPECT_EQ(plan.activations.at(value).low, 0);
    }
    EXPECT_GT(plan.activations.at("e").params.zero_point[0], 0);
    EXPECT_EQ(plan.activations.at("e").method, method.name);
  }
}

TEST(Planner, KeepsTheRangeInsideAClip) {
  for (const auto& [low, high] : {std::pair{0.0F, 0.3F}, {-0.11F, 0.2F}, {-0.3F, 0.7F}}) {
    ir::Graph graph = graph_of(
        "g (float[N,3,8,8] x, float[8,3,3,3] w, float lo, float hi, float[8,8,1,1] v)"
        " => (float[N,8,6,6] y)"
        " { [c1] a = Conv(x, w) [clip] r = Clip(a, lo, hi) [c2] b = Conv(r, v) [neg] y = Neg(b) }");
    graph.set_constant(*graph.find_value("lo"), kit::tensor_of({low}, {}));
    graph.set_constant(*graph.find_value("hi"), kit::tensor_of({high}, {}));
    const QuantPlan plan = make_plan(graph, calibrated(graph, "x86"), {.method = "min_max"});
    const tensor::QuantParams& params = plan.activations.at("r").params;
    const auto zero = static_cast<float>(params.zero_point[0]);
    EXPECT_GE((0 - zero) * params.scale[0], low);
    EXPECT_LE((255 - zero) * params.scale[0], high);
    EXPECT_NEAR(255 * params.scale[0], high - low, 0.02 * (high - low));
  }
}

TEST(Planner, SymmetricTargetsHaveNoZeroPoint) {
  for (const std::string target : {"tensorrt", "generic"}) {
    const QuantPlan plan = plan_with({.target = target});
    for (const auto& [name, entry] : plan.activations) {
      EXPECT_EQ(entry.params.zero_point[0], 0) << target << " " << name;
      EXPECT_TRUE(entry.params.grid.is_signed);
    }
    EXPECT_TRUE(plan.biases.empty()) << target;
  }
}

TEST(Planner, SymmetricOnRequestUsesTheWholeUnsignedGridForRelu) {
  const QuantPlan plan = plan_with({.method = "min_max", .symmetric = true});
  EXPECT_EQ(plan.activations.at("x").params.zero_point[0], 128);
  EXPECT_EQ(plan.activations.at("r").params.zero_point[0], 0);
}

TEST(Planner, QuantizesWeightsPerOutputChannel) {
  const QuantPlan plan = plan_with({});
  EXPECT_EQ(plan.weights.at("w").params.axis, 0);
  EXPECT_EQ(plan.weights.at("w").params.scale.size(), 8U);
  EXPECT_EQ(plan.weights.at("u").params.axis, 0);
  EXPECT_EQ(plan.weights.at("u").params.scale.size(), 4U);
  EXPECT_FALSE(plan_with({.per_channel = false}).weights.at("w").params.per_channel());
}

TEST(Planner, ReducesTheWeightRangeOnRequest) {
  const QuantPlan plan = plan_with({.reduce_range = true});
  EXPECT_EQ(plan.weights.at("w").params.grid.qmax(), 63);
  EXPECT_EQ(plan.weights.at("w").params.grid.qmin(), -63);
  EXPECT_EQ(plan_with({}).weights.at("w").params.grid.qmax(), 127);
}

TEST(Planner, TakesOtherBitWidths) {
  const QuantPlan plan = plan_with({.activation_bits = 6, .weight_bits = 4});
  EXPECT_EQ(plan.activations.at("r").params.grid.qmax(), 63);
  EXPECT_EQ(plan.weights.at("w").params.grid.qmax(), 7);
}

TEST(Planner, LayersCanHaveBitsOfTheirOwn) {
  const QuantPlan plan = plan_with(
      {.bits = {{.pattern = "c2", .weights = 4}, {.pattern = "Gemm", .activations = 12}}});
  EXPECT_EQ(plan.weights.at("w").params.grid.bits, 8);
  EXPECT_EQ(plan.weights.at("v").params.grid.bits, 4);
  EXPECT_EQ(plan.weights.at("u").params.grid.bits, 8);
  EXPECT_EQ(plan.activations.at("f").params.grid.bits, 12);
  EXPECT_EQ(plan.activations.at("p").params.grid.bits, 12) << "shares the parameters of f";
  EXPECT_EQ(plan.activations.at("r").params.grid.bits, 8);
  kit::expect_user_error([] { (void)plan_with({.bits = {{.pattern = "c9", .weights = 4}}}); },
                         "a rule for bits matches no quantized layer: got 'c9'");
  kit::expect_user_error([] { (void)plan_with({.bits = {{.pattern = "c2", .weights = 40}}}); },
                         "bits of the layers 'c2': got 40, expected 2..16");
}

TEST(Planner, AutoErrsNoMoreThanAnyMethod) {
  const QuantPlan chosen = plan_with({});
  for (const RangeMethod& method : range_methods()) {
    const QuantPlan plan = plan_with({.method = std::string(method.name)});
    for (const auto& [name, entry] : plan.activations) {
      // The choice weighs clipping more than rounding, so single methods may win by a little.
      EXPECT_GE(*chosen.activations.at(name).sqnr_db, *entry.sqnr_db - 1.5)
          << method.name << " " << name;
    }
  }
}

TEST(Planner, TunesRangesByAMeasuredError) {
  // An error that wants the range of 'x' as wide as possible.
  const PlanError error = [](const QuantPlan& plan) {
    return 1000 - plan.activations.at("x").high + plan.activations.at("x").low;
  };
  const QuantPlan tuned = plan_with({.error = error, .tune_ranges = true, .float_mac_share = 0.0});
  const QuantPlan widest = plan_with({.method = "abs_max"});
  EXPECT_EQ(tuned.activations.at("x").params, widest.activations.at("x").params);
  EXPECT_EQ(tuned.activations.at("x").method, "abs_max");
}

TEST(Planner, SparesAnEndLayerThatPays) {
  const auto error_for = [](const std::string& spared) -> PlanError {
    return [spared](const QuantPlan& plan) {
      const auto is_spared = [&](const FloatNode& node) { return node.node == spared; };
      return std::ranges::any_of(plan.float_nodes, is_spared) ? 0.5 : 1.0;
    };
  };
  const QuantPlan last = plan_with({.error = error_for("gemm"), .float_mac_share = 0.01});
  ASSERT_EQ(last.float_nodes.size(), 1U);
  EXPECT_EQ(last.float_nodes[0].node, "gemm");
  EXPECT_THAT(last.float_nodes[0].reason, testing::HasSubstr("lowers the measured error"));
  EXPECT_FALSE(last.activations.contains("f"));
  // The first layer has most of the operations: it does not fit into the share.
  EXPECT_TRUE(plan_with({.error = error_for("c1"), .float_mac_share = 0.01}).float_nodes.empty());
  EXPECT_FALSE(plan_with({.error = error_for("c1"), .float_mac_share = 0.9}).float_nodes.empty());
  // Inner layers are never spared, gains of less than 3 % are not taken.
  EXPECT_TRUE(plan_with({.error = error_for("c2"), .float_mac_share = 0.9}).float_nodes.empty());
  EXPECT_TRUE(plan_with({.error = error_for("gemm"), .float_mac_share = 0.0}).float_nodes.empty());
}

TEST(Planner, SaysWhoElseReadsAValueWithBitsOfItsOwn) {
  const ir::Graph graph = graph_of(kPlannerText);
  const auto lines_for = [&](const PlanOptions& options) {
    const QuantPlan plan = make_plan(graph, calibrated(graph, "x86"), options);
    return describe_shared_bits(graph, plan, options);
  };
  const auto rule = [](std::string pattern, int bits) {
    return PlanOptions{.method = "min_max",
                       .bits = {{.pattern = std::move(pattern), .activations = bits}}};
  };
  EXPECT_THAT(
      lines_for(rule("c2", 3)),
      testing::ElementsAre("'r' has 3 bits by the rule for 'c2'; 'add', which no rule names, "
                           "reads it too"));
  EXPECT_THAT(lines_for(rule("c2", 8)), testing::IsEmpty()) << "as everywhere";
  EXPECT_THAT(lines_for(rule("*", 3)), testing::IsEmpty());
}

TEST(Planner, WidensWeightsForLargeBiases) {
  ir::Graph graph = graph_of(kPlannerText);
  Tensor bias = graph.find_value("c")->constant().clone();
  bias[3] = 1e8F;
  graph.set_constant(*graph.find_value("c"), bias);
  const QuantPlan plan = make_plan(graph, calibrated(graph, "x86"), {.method = "min_max"});
  const double step = static_cast<double>(plan.activations.at("r").params.scale[0]) *
                      static_cast<double>(plan.weights.at("v").params.scale[3]);
  EXPECT_LE(1e8 / step, 1.1e9);
}

TEST(Planner, RefusesStatisticsOfAnotherModel) {
  const ir::Graph graph = graph_of(kPlannerText);
  const Statistics statistics = calibrated(graph_of(kPlannerText, 99), "x86");
  kit::expect_user_error([&] { (void)make_plan(graph, statistics, {}); },
                         "the statistics belong to another model");
}

TEST(Planner, RefusesStatisticsForAnotherTarget) {
  const ir::Graph graph = graph_of(kPlannerText);
  const Statistics statistics = calibrated(graph, "generic");
  kit::expect_user_error([&] { (void)make_plan(graph, statistics, {}); },
                         "value 'e': got no statistics");
}

TEST(Planner, RefusesABiasThatIsNoNumber) {
  const ir::Graph graph = graph_of(kPlannerText);
  Statistics statistics = calibrated(graph, "x86");
  statistics.model_id.clear();  // any model's
  Tensor bias = graph.find_value("b")->constant();
  bias[0] = std::nanf("");
  kit::expect_user_error([&] { (void)make_plan(graph, statistics, {}); },
                         "cannot quantize the bias 'b' of node 'c1': got NaN or infinite elements");
}

TEST(Planner, RefusesBadOptions) {
  const ir::Graph graph = graph_of(kPlannerText);
  const auto refused = [&](const PlanOptions& options, std::string_view text) {
    kit::expect_user_error([&] { (void)values_to_observe(graph, options); }, text);
  };
  refused({.target = "arm"}, "unknown target: got 'arm'");
  refused({.method = "entropy"}, "unknown range method: got 'entropy'");
  refused({.weight_method = "kl"}, "unknown weight method: got 'kl'");
  refused({.hist_percent = 0}, "hist percent: got 0");
  refused({.percentile = 101}, "percentile: got 101");
  refused({.activation_bits = 1}, "activation bits: got 1");
  refused({.weight_bits = 32}, "weight bits: got 32");
  refused({.skip = {"nothing*"}}, "a skip pattern matches nothing");
  refused({.float_mac_share = 2}, "share of float multiply-accumulates: got 2");
}

}  // namespace
}  // namespace espalier::quant
