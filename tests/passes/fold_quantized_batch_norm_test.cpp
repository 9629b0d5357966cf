#include "espalier/passes/fold_quantized_batch_norm.h"

#include <gtest/gtest.h>

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

TEST(FoldQuantizedBatchNorm, LeavesGraphsWithoutQuantizersAlone) {
  passes_test::expect_unchanged(
      fold_quantized_batch_norm(),
      "g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] gamma, float[4] beta, float[4] mean,"
      " float[4] variance) => (float[N,4,6,6] y)"
      " { a = Conv(x, w) y = BatchNormalization(a, gamma, beta, mean, variance) }");
}

}  // namespace
}  // namespace espalier::passes
