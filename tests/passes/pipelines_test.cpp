#include "espalier/passes/pipelines.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/passes/rewrite_check.h"

namespace espalier::passes {
namespace {

TEST(Pipelines, TableIsSortedAndSelfConsistent) {
  EXPECT_TRUE(std::ranges::is_sorted(pass_table(), {}, &PassRow::name));
  for (const PassRow& row : pass_table()) {
    EXPECT_EQ(make_pass(row.name).name, row.name);
    EXPECT_FALSE(row.summary.empty());
  }
  EXPECT_TRUE(std::ranges::is_sorted(pipelines(), {}, &Pipeline::name));
  for (const Pipeline& pipeline : pipelines()) {
    EXPECT_EQ(make_pipeline(pipeline.name).size(), pipeline.passes.size());
  }
}

TEST(Pipelines, UnknownNamesAreUserErrors) {
  EXPECT_THAT(kit::expect_user_error([] { (void)make_pass("fold_batchnorm"); },
                                     "unknown pass: got 'fold_batchnorm'"),
              testing::HasSubstr("did you mean 'fold_batch_norm'"));
  EXPECT_THAT(kit::expect_user_error([] { (void)make_pipeline("simplfy"); },
                                     "unknown pipeline: got 'simplfy'"),
              testing::HasSubstr("did you mean 'simplify'"));
}

TEST(Pipelines, PrintAsText) {
  EXPECT_EQ(to_text(simplify()),
            "infer_shapes\nfold_constants\nfold_shape_arithmetic (to fixed point)\n"
            "eliminate_identity (to fixed point)\ninfer_shapes\n");
  const std::vector<PassRecord> records{{.name = "a", .changes = 2, .seconds = 0.0015}};
  EXPECT_EQ(to_text(records), "a: 2 changes, 1.5 ms\n");
}

constexpr std::string_view kNetwork =
    "g (float[N,3,8,8] x, float[4,3,3,3] w, float[4] gamma, float[4] beta, float[4] mean,"
    " float[4] variance, float[4,5] v, float[5] b) => (float[N,5] y)"
    " { pads = Constant<value_ints=[0,0,0,0,0,0,1,1]>() p = Pad(x, pads)"
    "   c = Conv<strides=[2,2]>(p, w) n = BatchNormalization(c, gamma, beta, mean, variance)"
    "   zero = Constant<value_float=0.0>() r = Clip(n, zero) d = Dropout(r)"
    "   m = ReduceMean<axes=[2,3], keepdims=0>(d) i = Identity(m)"
    "   h = MatMul(i, v) y = Add(h, b) }";

TEST(Pipelines, PrepareForQuantizationLeavesPlainLayers) {
  ir::Graph graph = passes_test::graph_of(kNetwork);
  const ir::Graph before = graph.clone();
  run(graph, prepare_for_quantization());
  EXPECT_EQ(passes_test::ops_of(graph), "Conv Relu GlobalAveragePool Flatten Gemm");
  EXPECT_NE(graph.nodes()[0]->input(2), nullptr);
  EXPECT_EQ(graph.outputs()[0]->name(), "y");
  passes_test::expect_same_outputs(graph, before);
  for (const PassRecord& record : run(graph, prepare_for_quantization())) {
    EXPECT_EQ(record.changes, 0U) << record.name << " changes a prepared graph";
  }
}

TEST(Pipelines, SimplifyKeepsWhatTrainingNeeds) {
  ir::Graph graph = passes_test::graph_of(kNetwork);
  const ir::Graph before = graph.clone();
  run(graph, simplify());
  EXPECT_EQ(passes_test::ops_of(graph),
            "Pad Conv BatchNormalization Clip Dropout ReduceMean MatMul Add");
  passes_test::expect_same_outputs(graph, before);
}

}  // namespace
}  // namespace espalier::passes
