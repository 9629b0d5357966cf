#include "espalier/passes/extract_plan.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/passes/insert_fake_quantize.h"
#include "espalier/passes/lower_to_qdq.h"
#include "espalier/passes/pipelines.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/graph_text.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/small_plan.h"
#include "tests/passes/training_flow.h"

namespace espalier::passes {
namespace {

using passes_test::training_case;
using passes_test::TrainingCase;

TEST(ExtractPlan, GivesBackWhatWasInserted) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b) => (float[N,4,6,6] y)"
      " { [conv] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] y = Relu(a) }");
  quant::QuantPlan plan = passes_test::plan_for(graph, {.values = {"x"}, .non_negative = {"y"}});
  plan.edges.push_back({.node = "", .index = 0});
  const ir::Graph before = graph.clone();
  passes_test::apply(insert_fake_quantize(plan, {.round_biases = false}), graph);
  const quant::QuantPlan again = extract_plan(graph, plan);
  EXPECT_EQ(kit::to_text(graph), kit::to_text(before));
  ASSERT_EQ(again.activations.size(), 2U);
  EXPECT_EQ(again.activations.at("y").params, plan.activations.at("y").params);
  EXPECT_EQ(again.activations.at("y").method, "min_max") << "nothing trained it";
  EXPECT_FALSE(again.activations.at("y").sqnr_db.has_value());
  EXPECT_EQ(again.weights.at("w").params, plan.weights.at("w").params);
  EXPECT_THAT(again.edges, testing::UnorderedElementsAreArray(plan.edges));
  EXPECT_EQ(again.biases, plan.biases);
  EXPECT_FALSE(again.model_id.empty());
}

TEST(ExtractPlan, ATrainedGraphGoesTheWayToAFile) {
  TrainingCase made = training_case({.activations = {.estimator = "lsq"}});
  passes_test::train_a_little(made.training);
  ir::Graph simulated = made.training.clone();
  run(simulated, finish_training());
  const Tensor expected = passes_test::infer(simulated);
  ir::Graph model = simulated.clone();
  const quant::QuantPlan plan = extract_plan(model, made.plan);
  EXPECT_EQ(kit::to_text(model).find("FakeQuantize"), std::string::npos);
  EXPECT_EQ(plan.activations.at("r").method, "lsq");
  EXPECT_EQ(plan.biases.size(), made.plan.biases.size());
  ir::Graph again = model.clone();
  passes_test::apply(insert_fake_quantize(plan, {.round_biases = false}), again);
  EXPECT_THAT(passes_test::infer(again), kit::HasSameBits(expected));
  ir::Graph shipped = model.clone();
  run(shipped, {insert_fake_quantize(plan), lower_to_qdq(plan)});
  ir::Graph rounded = model.clone();
  run(rounded, {insert_fake_quantize(plan)});
  EXPECT_THAT(
      passes_test::run_on(shipped, {kit::random_tensor({2, 3, 8, 8}, 4)}).at(0),
      kit::IsCloseTo(passes_test::run_on(rounded, {kit::random_tensor({2, 3, 8, 8}, 4)}).at(0)));
}

TEST(ExtractPlan, GivesAChannelThatDiedAScaleThatHoldsItsBias) {
  ir::Graph graph = passes_test::graph_of(
      "g (float[N,3,6,6] x, float[4,3,3,3] w, float[4] b) => (float[N,4,6,6] y)"
      " { [conv] a = Conv<pads=[1,1,1,1]>(x, w, b) [relu] y = Relu(a) }");
  quant::QuantPlan plan = passes_test::plan_for(graph, {.values = {"x"}, .non_negative = {"y"}});
  const float healthy = plan.weights.at("w").params.scale[0];
  plan.weights.at("w").params.scale[2] = 1e-14F;
  const Tensor bias = graph.find_value("b")->constant().clone();
  passes_test::apply(insert_fake_quantize(plan, {.round_biases = false}), graph);
  const quant::QuantPlan again = extract_plan(graph, plan);
  const double step = double{again.weights.at("w").params.scale[2]} *
                      double{again.activations.at("x").params.scale[0]};
  EXPECT_LE(std::abs(bias[2].item<double>()) / step, 1.1e9) << "an int32";
  EXPECT_EQ(again.weights.at("w").params.scale[0], healthy);
}

TEST(ExtractPlan, KnowsEveryGrid) {
  for (int bits = 2; bits <= 16; ++bits) {
    for (const bool is_signed : {false, true}) {
      const tensor::QuantGrid grid{.bits = bits, .is_signed = is_signed, .narrow = is_signed};
      EXPECT_EQ(grid_of(grid.qmin(), grid.qmax()), grid);
    }
  }
  kit::expect_user_error([] { (void)grid_of(0, 100); },
                         "cannot describe a quantizer: got codes 0..100");
}

}  // namespace
}  // namespace espalier::passes
