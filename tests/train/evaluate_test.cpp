#include "espalier/train/evaluate.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

TEST(Evaluate, EqualsOneBigBatch) {
  const ir::Graph graph = synthetic_model(3);
  const exec::Program program = exec::Program::compile(graph, {});
  SyntheticSource source({.batches = 3, .batch_size = 8, .seed = 4});
  const MetricValues values = evaluate(program, source, {cross_entropy()}, {{.k = 1}, {.k = 2}});
  source.start({});
  double hits = 0;
  double loss = 0;
  while (const auto batch = source.next()) {
    const std::vector<Tensor> outputs = program.run(std::span(&batch->images, 1));
    hits += static_cast<double>(count_top_k(outputs[0], batch->labels, 2));
    loss += cross_entropy().function(outputs, *batch).item<double>();
  }
  EXPECT_DOUBLE_EQ(values.at("top2"), hits / 24);
  EXPECT_NEAR(values.at("loss"), loss / 3, 1e-9);
  EXPECT_LE(values.at("top1"), values.at("top2"));
  EXPECT_EQ(values.size(), 3U);
}

TEST(Evaluate, LeavesATrainingProgramAsItWas) {
  const ir::Graph graph = synthetic_model(3);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  program.set_training(false);
  SyntheticSource source({});
  const Tensor before = program.buffers().at("norm.mean").clone();
  const MetricValues first = evaluate(program, source, {cross_entropy()}, {{.k = 1}});
  const MetricValues second = evaluate(program, source, {cross_entropy()}, {{.k = 1}});
  EXPECT_EQ(first, second) << "Dropout and batch statistics are off";
  EXPECT_THAT(program.buffers().at("norm.mean"), kit::HasSameBits(before));
}

TEST(Evaluate, NamesTermsOnlyWhenThereAreSeveral) {
  Meters meters;
  const std::vector<Tensor> outputs{kit::tensor_of({1, 0, 1, 0}, {2, 2})};
  const data::Batch batch{
      .images = at::zeros({2, 1}), .labels = kit::integers_of({0, -1}), .indices = {}};
  const LossTerm first{.name = "a", .weight = 2, .function = {}};
  const LossTerm second{.name = "b", .weight = 0.5, .function = {}};
  const MetricValues two = measure(outputs, batch, {3, 4}, {first, second}, {{.k = 1}}, meters);
  EXPECT_EQ(two, (MetricValues{{"a", 3}, {"b", 4}, {"loss", 8}, {"top1", 1}}));
  EXPECT_EQ(meters.state().at("top1").weight, 1.0) << "a sample without a label does not count";
  EXPECT_EQ(measure(outputs, batch, {3}, {first}, {}, meters), (MetricValues{{"loss", 6}}));
}

TEST(Evaluate, RefusesASourceWithoutBatches) {
  const ir::Graph graph = synthetic_model(3);
  const exec::Program program = exec::Program::compile(graph, {});
  SyntheticSource source({.batches = 0});
  kit::expect_user_error([&] { (void)evaluate(program, source, {cross_entropy()}, {}); },
                         "cannot evaluate: the data set gave no batch");
}

}  // namespace
}  // namespace espalier::train
