#include "espalier/recipe/strategies.h"

#include <gmock/gmock.h>

#include "espalier/onnx/codec.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"

namespace espalier::recipe {
namespace {

using ::testing::ElementsAre;

/// A stage with one strategy of epochs 1 to 2, and what it may use.
struct OneStrategy {
  explicit OneStrategy(decltype(StrategyConfig::what) what)
      : stage({.options = {},
               .strategies = {{.span = {.start = 1, .end = 2}, .what = std::move(what)}}}) {}

  kit::TemporaryFolder folder;
  ir::Graph graph = zoo::build("FashionCNN", {.classes = 4});
  TrainStage stage;
  StudentFeatures features{graph, stage};
  StrategyContext context{.self = graph, .features = features, .folder = folder.path()};
  exec::Program program = features.compile(graph);
  std::unique_ptr<train::Strategy> strategy = std::move(make_strategies(stage, context).front());
};

TEST(Strategies, FreezeNamesItsGlobs) {
  OneStrategy job(FreezeConfig{.match = {"*.mean", "*.variance"}});
  EXPECT_EQ(job.strategy->describe(), "freeze *.mean, *.variance, start_epoch 1, end_epoch 2");
  EXPECT_EQ(job.strategy->span().start, 1);
  EXPECT_FALSE(job.strategy->rewrites());
  train::EpochPlan plan;
  job.strategy->on_epoch(1, plan);
  EXPECT_THAT(plan.frozen, ElementsAre("*.mean", "*.variance"));
}

TEST(Strategies, ObservedValuesFreezeByKind) {
  OneStrategy norms(FreezeObservedConfig{.what = FreezeObservedConfig::What::BatchNorm});
  EXPECT_EQ(norms.strategy->describe(), "freeze_batch_norm, start_epoch 1, end_epoch 2");
  train::EpochPlan plan;
  norms.strategy->on_epoch(1, plan);
  EXPECT_TRUE(plan.frozen_batch_norm);
  EXPECT_FALSE(plan.frozen_quantizers);
  OneStrategy quantizers(FreezeObservedConfig{.what = FreezeObservedConfig::What::Quantizers});
  EXPECT_EQ(quantizers.strategy->describe(), "freeze_quantizers, start_epoch 1, end_epoch 2");
  train::EpochPlan other;
  quantizers.strategy->on_epoch(1, other);
  EXPECT_TRUE(other.frozen_quantizers);
  EXPECT_FALSE(other.frozen_batch_norm);
}

TEST(Strategies, DistilAddsTermsFromItsStartOrAResumeToItsEnd) {
  const LossConfig loss{.kind = LossConfig::Kind::SoftLabel, .weight = 2};
  for (const bool resumed : {false, true}) {
    OneStrategy job(DistilConfig{.losses = {loss}});
    if (resumed) {
      job.strategy->on_resume(job.graph, job.program);
    } else {
      EXPECT_FALSE(job.strategy->on_start(job.graph, job.program));
    }
    train::EpochPlan plan;
    job.strategy->on_epoch(1, plan);
    ASSERT_EQ(plan.losses.size(), 1U);
    EXPECT_EQ(plan.losses[0].name, "distil_soft_label");
    EXPECT_DOUBLE_EQ(plan.losses[0].weight, 2);
    job.strategy->on_end(job.graph, {});
    train::EpochPlan after;
    job.strategy->on_epoch(3, after);
    EXPECT_TRUE(after.losses.empty());
  }
}

TEST(Strategies, ExportWritesTheModelAtItsEnd) {
  OneStrategy job(EpochExportConfig{.file = "after.onnx", .opset = 18});
  EXPECT_EQ(job.strategy->describe(), "export 'after.onnx', end_epoch 2");
  job.strategy->on_end(job.graph, {});
  const ir::Graph written = onnx::load(job.folder.path() / "after.onnx");
  EXPECT_EQ(written.opsets.at(""), 18);
  const ir::Value* weight = nullptr;
  for (const ir::Value* value : std::as_const(job.graph).initializers()) weight = value;
  EXPECT_THAT(written.find_value(weight->name())->constant(), kit::HasSameBits(weight->constant()));
}

TEST(Strategies, ExportRefusesSimulatedQuantization) {
  OneStrategy job(EpochExportConfig{.file = "after.onnx"});
  ir::Node& node = *job.graph.nodes().front();
  job.graph.set_op(node, "FakeQuantize", std::string(ir::kEspalierDomain));
  kit::expect_unsupported([&] { job.strategy->on_end(job.graph, {}); },
                          "cannot export the model in the middle of a training");
  EXPECT_TRUE(job.folder.files().empty());
}

}  // namespace
}  // namespace espalier::recipe
