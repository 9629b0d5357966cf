#include "espalier/passes/fold_quantized_batch_norm.h"

#include <gtest/gtest.h>

#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/pipelines.h"
#include "tests/kit/tensors.h"
#include "tests/passes/rewrite_check.h"
#include "tests/passes/training_flow.h"

namespace espalier::passes {
namespace {

using passes_test::training_case;
using passes_test::TrainingCase;

struct FoldCase {
  EstimatorChoice weights;
  std::string activations;
  BatchNormForm form = BatchNormForm::Live;
};

/// Every way to train: evaluation with live BatchNormalization equals the folded graph.
TEST(FoldQuantizedBatchNorm, LeavesEvaluationAsItWas) {
  const EstimatorChoice abs_max{.estimator = "abs_max", .per_channel = true};
  const EstimatorChoice lsq{.estimator = "lsq", .per_channel = true};
  const std::vector<FoldCase> rows{
      {abs_max, "moving_average_abs_max"},
      {abs_max, "moving_average_min_max"},
      {abs_max, "range_abs_max"},
      {abs_max, "abs_max"},
      {abs_max, "pact"},
      {lsq, "lsq"},
      {lsq, "lsq_plus"},
      {{.estimator = "abs_max", .per_channel = false}, "lsq"},
      {abs_max, "moving_average_abs_max", BatchNormForm::Folded},
      {lsq, "lsq", BatchNormForm::Folded},
  };
  for (const FoldCase& row : rows) {
    for (const bool frozen : {false, true}) {
      TrainingCase made = training_case({.weights = row.weights,
                                         .activations = {.estimator = row.activations},
                                         .window = 3,
                                         .batch_norm = row.form});
      passes_test::train_a_little(made.training, frozen);
      const Tensor evaluated = passes_test::evaluate(made.training);
      ir::Graph folded = made.training.clone();
      run(folded, finish_training());
      EXPECT_EQ(passes_test::ops_of(folded).find("BatchNormalization"), std::string::npos);
      const double size = evaluated.abs().max().item<double>();
      EXPECT_THAT(passes_test::infer(folded),
                  kit::IsCloseTo(evaluated, kit::Tolerance{.absolute = 1e-5 * size, .relative = 0}))
          << row.weights.estimator << " " << row.activations << " frozen " << frozen;
    }
  }
}

/// OpenVINO computes what is around a ConvTranspose in float when its weight has a scale a channel.
TEST(FoldQuantizedBatchNorm, OneScaleStaysOneWhereTheTargetWantsIt) {
  for (const BatchNormForm form : {BatchNormForm::Live, BatchNormForm::Folded}) {
    for (const std::string target : {"x86", "openvino", "tensorrt"}) {
      TrainingCase made = passes_test::transposed_case(target, form);
      passes_test::train_a_little(made.training);
      const Tensor evaluated = passes_test::evaluate(made.training);
      ir::Graph folded = made.training.clone();
      run(folded, finish_training());
      EXPECT_EQ(passes_test::ops_of(folded).find("BatchNormalization"), std::string::npos);
      const double size = evaluated.abs().max().item<double>();
      EXPECT_THAT(passes_test::infer(folded),
                  kit::IsCloseTo(evaluated, kit::Tolerance{.absolute = 1e-5 * size, .relative = 0}))
          << target;
      const ir::Node& quantizer = *fake_quantize_behind(folded.find_node("up")->input(1));
      const bool one = form == BatchNormForm::Folded || target != "tensorrt";
      EXPECT_EQ(fake_quantize_params(quantizer).scale.numel(), one ? 1 : 4) << target;
      EXPECT_EQ(quantizer.has("axis"), !one) << target;
    }
  }
}

TEST(FoldQuantizedBatchNorm, AScaleAChannelStaysWhereAGammaIsZero) {
  TrainingCase made = passes_test::transposed_case("x86", BatchNormForm::Live);
  ir::Graph graph = made.model.clone();
  graph.set_constant(*graph.find_value("g1"), kit::tensor_of({1, 0, 2, -1}));
  run(graph, prepare_for_training());
  made.plan.model_id.clear();
  run(graph, {insert_training_quantizers(made.plan, {})});
  EXPECT_EQ(passes_test::ops_of(graph).find("Sqrt"), std::string::npos);
  run(graph, finish_training());
  const ir::Node& quantizer = *fake_quantize_behind(graph.find_node("up")->input(1));
  EXPECT_EQ(fake_quantize_params(quantizer).scale.numel(), 4);
}

TEST(FoldQuantizedBatchNorm, LeavesGraphsWithoutQuantizersAlone) {
  passes_test::expect_unchanged(
      fold_quantized_batch_norm(),
      "g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] gamma, float[4] beta, float[4] mean,"
      " float[4] variance) => (float[N,4,6,6] y)"
      " { a = Conv(x, w) y = BatchNormalization(a, gamma, beta, mean, variance) }");
}

}  // namespace
}  // namespace espalier::passes
