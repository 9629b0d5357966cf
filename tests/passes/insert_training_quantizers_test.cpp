#include "espalier/passes/insert_training_quantizers.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/ops/estimator.h"
#include "espalier/passes/fake_quantize_node.h"
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

const ir::Node& quantizer_of(const ir::Graph& graph, const std::string& value) {
  for (const ir::Use& use : graph.find_value(value)->uses()) {
    if (is_fake_quantize(*use.node)) return *use.node;
  }
  throw std::runtime_error("no quantizer behind " + value);
}

TEST(InsertTrainingQuantizers, KeepsBatchNormalizationBehindQuantizedLayers) {
  const TrainingCase row = training_case({});
  const std::string text = kit::to_text(row.training);
  EXPECT_THAT(text, testing::HasSubstr("a_unfolded = Conv(x_dq, w1_dq) [conv1]"));
  EXPECT_THAT(text, testing::HasSubstr("a = BatchNormalization(a_unfolded, "));
  EXPECT_THAT(text, testing::HasSubstr("r_dq = FakeQuantize(r, r_scale, r_zero_point, "
                                       "r_state) [r_fake_quantize]"));
  EXPECT_THAT(text, testing::HasSubstr("s = Add(e_dq, r_dq) [add]"));
  EXPECT_EQ(quantizer_of(row.training, "r").get_string("estimator", ""), "moving_average_abs_max");
  EXPECT_EQ(quantizer_of(row.training, "w1").get_string("role", ""), "weight");
}

TEST(InsertTrainingQuantizers, StartsFromTheCalibratedRanges) {
  const TrainingCase plain = training_case({});
  const float start = plain.plan.activations.at("r").params.scale[0];
  const struct {
    std::string estimator;
    std::vector<double> state;
  } rows[] = {{"moving_average_abs_max", {double{start} * 255 * 10, 10}},
              {"moving_average_min_max", {0, double{start} * 255 * 10, 10}},
              {"pact", {double{start} * 255}},
              {"range_abs_max", {1, 1, double{start} * 255, 0, 0}},
              {"lsq_plus", {0}},
              {"lsq", {}},
              {"abs_max", {}}};
  for (const auto& row : rows) {
    const TrainingCase made =
        training_case({.activations = {.estimator = row.estimator}, .window = 3});
    const ir::Node& node = quantizer_of(made.training, "r");
    EXPECT_NEAR(node.input(1)->constant().item<double>(), double{start}, 1e-8) << row.estimator;
    const ir::Value* state = node.input(ops::kEstimatorState);
    ASSERT_EQ(state != nullptr, !row.state.empty()) << row.estimator;
    if (state == nullptr) continue;
    const std::vector<double> values = kit::values_of(state->constant());
    ASSERT_EQ(values.size(), row.state.size());
    for (std::size_t index = 0; index < values.size(); ++index) {
      EXPECT_NEAR(values[index], row.state[index], 1e-4) << row.estimator;
    }
  }
}

TEST(InsertTrainingQuantizers, MagnitudesOfTwoSidedValuesTakeTheMiddleCode) {
  const TrainingCase made = training_case({});
  const ir::Node& node = quantizer_of(made.training, "x");  // calibrated: [-2, 3]
  EXPECT_EQ(node.input(2)->constant().item<std::int32_t>(), 128);
  EXPECT_NEAR(node.input(1)->constant().item<double>() * 127, 3, 0.02);
}

TEST(InsertTrainingQuantizers, TheTrainingGraphTrainsAndObserves) {
  for (const BatchNormForm form : {BatchNormForm::Live, BatchNormForm::Folded}) {
    TrainingCase made =
        training_case({.weights = {.estimator = "lsq", .per_channel = true}, .batch_norm = form});
    const exec::Program program =
        exec::Program::compile(made.training, {.mode = exec::Mode::Training});
    for (const std::string name : {"w1", "w2", "w3", "w4", "w1_scale", "g1", "c4"}) {
      EXPECT_TRUE(program.parameters().contains(name)) << name;
    }
    EXPECT_TRUE(program.buffers().contains("r_state"));
    EXPECT_TRUE(program.buffers().contains("variance1"));
    const Tensor before = made.training.find_value("w1")->constant().clone();
    passes_test::train_a_little(made.training);
    EXPECT_NE(kit::bit_difference(made.training.find_value("w1")->constant(), before), "");
  }
}

TEST(InsertTrainingQuantizers, RulesChooseOtherQuantizers) {
  const TrainingCase made =
      training_case({.rules = {{.pattern = "conv2",
                                .weights = EstimatorChoice{.estimator = "lsq"},
                                .activations = EstimatorChoice{.estimator = "pact"}},
                               {.pattern = "Gemm", .weights = EstimatorChoice{}}}});
  EXPECT_EQ(quantizer_of(made.training, "w2").get_string("estimator", ""), "lsq");
  EXPECT_FALSE(quantizer_of(made.training, "w2").has("axis"));
  EXPECT_EQ(quantizer_of(made.training, "r").get_string("estimator", ""), "pact");
  EXPECT_EQ(quantizer_of(made.training, "w4").get_string("estimator", ""), "");
  EXPECT_EQ(quantizer_of(made.training, "w1").get_string("estimator", ""), "abs_max");
  kit::expect_user_error([] { (void)training_case({.rules = {{.pattern = "conv9"}}}); },
                         "a rule for quantizers matches no quantized layer: got 'conv9'");
}

TEST(InsertTrainingQuantizers, ARuleLeavesOpenWhatItDoesNotName) {
  // conv2 and the sum read "r".
  const TrainingCase made = training_case(
      {.rules = {{.pattern = "conv2", .weights = EstimatorChoice{.estimator = "lsq"}},
                 {.pattern = "Add", .activations = EstimatorChoice{.estimator = "pact"}}}});
  EXPECT_EQ(quantizer_of(made.training, "w2").get_string("estimator", ""), "lsq");
  EXPECT_EQ(quantizer_of(made.training, "r").get_string("estimator", ""), "pact");
}

/// Every way to find parameters, with everything that training leaves behind: learned scales out
/// of bounds, derived tensors one step behind.
TEST(InsertTrainingQuantizers, CheckpointsAreEvaluatedAsTrainingDoes) {
  for (const BatchNormForm form : {BatchNormForm::Live, BatchNormForm::Folded}) {
    for (const ops::Estimator& row : ops::estimators()) {
      if (!row.for_activations) continue;
      const std::string weights = row.for_weights ? std::string(row.name) : "lsq";
      TrainingCase made = training_case({.weights = {.estimator = weights, .per_channel = true},
                                         .activations = {.estimator = std::string(row.name)},
                                         .batch_norm = form});
      const Tensor before = passes_test::infer(made.training);
      passes_test::train_a_little(made.training);
      const Tensor evaluated = passes_test::evaluate(made.training);
      EXPECT_THAT(passes_test::infer(made.training),
                  kit::IsCloseTo(evaluated, kit::Tolerance{.absolute = 1e-9}))
          << row.name;
      EXPECT_THAT(before, testing::Not(kit::IsCloseTo(evaluated, kit::Tolerance{.absolute = 1e-3})))
          << row.name;
    }
  }
}

TEST(InsertTrainingQuantizers, FoldedTrainingUnfoldsScalesThatStayUnfolded) {
  ir::Graph model = passes_test::graph_of(
      "g (float[N,4,8,8] x, float[4,2,2,2] w, float[4] g, float[4] b, float[4] m,"
      " float[4] variance) => (float[N,4,16,16] y)"
      " { [up] a = ConvTranspose<strides=[2,2], kernel_shape=[2,2], group=2>(x, w)"
      "   y = BatchNormalization(a, g, b, m, variance) }");
  ir::Graph prepared = model.clone();
  run(prepared, prepare_for_quantization());
  quant::QuantPlan plan = passes_test::plan_for(prepared, {.values = {"x"}});
  plan.target = "x86";
  run(model, prepare_for_training());
  run(model,
      {insert_training_quantizers(plan, {.weights = {.estimator = "lsq", .per_channel = true},
                                         .batch_norm = BatchNormForm::Folded})});
  const auto number = [&](const std::string& name) { return model.find_value(name)->constant(); };
  const double factor =
      (number("g") / (number("variance") + 1e-5).sqrt()).abs().max().item<double>();
  const Tensor folded = prepared.find_value("w")->constant();
  const Tensor scale = quantizer_of(model, "w").input(ops::kScale)->constant();
  EXPECT_NEAR(scale.max().item<double>() * 127 * factor, folded.abs().max().item<double>(), 1e-5);
}

/// A channel that is scaled by zero could not be scaled back behind the layer.
TEST(InsertTrainingQuantizers, AGammaOfZeroKeepsItsLayerUnfolded) {
  const std::string layer =
      "a = Conv<kernel_shape=[1,1]>(x, w) y = BatchNormalization(a, g, b, m, variance) ";
  for (const bool zero : {false, true}) {
    ir::Graph model = passes_test::graph_of(
        "g (float[N,4,8,8] x, float[4,4,1,1] w, float[4] g, float[4] b, float[4] m, float[4] "
        "variance)"
        " => (float[N,4,8,8] y) { [conv] " +
        layer + "}");
    if (zero) {
      Tensor gamma = model.find_value("g")->constant().clone();
      gamma[2] = 0;
      model.set_constant(*model.find_value("g"), gamma);
    }
    const ir::Graph before = model.clone();
    ir::Graph prepared = model.clone();
    run(prepared, prepare_for_quantization());
    quant::QuantPlan plan = passes_test::plan_for(prepared, {.values = {"x"}});
    plan.target = "x86";
    run(model, prepare_for_training());
    testing::internal::CaptureStderr();
    run(model, {insert_training_quantizers(plan, {.batch_norm = BatchNormForm::Folded})});
    const std::string log = testing::internal::GetCapturedStderr();
    EXPECT_EQ(log.find("'conv' is trained with the unfolded weight") != std::string::npos, zero);
    std::vector<std::string> ops;
    for (const ir::Node* node : model.nodes()) ops.emplace_back(node->op());
    EXPECT_EQ(std::ranges::count(ops, "Div"), zero ? 0 : 2);
    const Tensor image = kit::random_tensor({2, 4, 8, 8}, 5, {.low = -1, .high = 1});
    const Tensor expected = exec::Program::compile(before, {}).run(std::vector{image})[0];
    const Tensor trained = exec::Program::compile(model, {}).run(std::vector{image})[0];
    EXPECT_TRUE(trained.isfinite().all().item<bool>());
    EXPECT_LT((trained - expected).abs().max().item<double>(), 0.1);
  }
}

TEST(InsertTrainingQuantizers, RulesAreCheckedWithoutAPlan) {
  const TrainingCase made = training_case({});
  check_estimator_rules(made.model, {{.pattern = "conv1"}, {.pattern = "Add"}});
  kit::expect_user_error([&] { check_estimator_rules(made.model, {{.pattern = "comv1"}}); },
                         "a rule for quantizers matches no quantized layer: got 'comv1' (did you "
                         "mean 'conv1'");
}

TEST(InsertTrainingQuantizers, RefusesThePlanOfAnotherModel) {
  TrainingCase made = training_case({});
  ir::Graph other = made.model.clone();
  ir::Value& weight = *other.find_value("w1");
  other.set_constant(weight, weight.constant() + 1);
  kit::expect_user_error(
      [&] { passes_test::apply(insert_training_quantizers(made.plan, {}), other); },
      "cannot train with the quantization plan");
  kit::expect_user_error(
      [&] { passes_test::apply(insert_training_quantizers(made.plan, {.window = 0}), other); },
      "bad window of range_abs_max: got 0");
}

}  // namespace
}  // namespace espalier::passes
