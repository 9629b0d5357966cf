#include "espalier/recipe/sensitivity_meter.h"

#include <algorithm>
#include <numeric>

#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/full.h>
#include <ATen/ops/randn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/train/distillation.h"
#include "espalier/train/metric.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

ir::Graph network(std::string_view family) {
  ir::Graph graph = zoo::build(family, {.classes = 5, .seed = 7});
  onnx::infer_shapes(graph);
  return graph;
}

/// Random images whose labels are what the network says, but for every seventh.
MeasuringImages images_for(const ir::Graph& graph, std::vector<std::int64_t> sizes,
                           std::int64_t batches) {
  const exec::Program program = exec::Program::compile(graph, {});
  MeasuringImages result;
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    const Tensor inputs = at::randn(sizes);
    Tensor labels = program.run(std::vector{inputs})[0].argmax(1);
    labels.slice(0, 0, labels.size(0), 7).add_(1).remainder_(5);
    result.batches.push_back(inputs);
    result.labels.push_back(labels);
    result.images += sizes[0];
    result.labelled += sizes[0];
  }
  return result;
}

std::vector<SensitivityPoint> measure_all(SensitivityMeter& meter, const TrialPlan& plan) {
  std::vector<SensitivityPoint> points;
  for (const GroupTrials& group : plan.groups) {
    std::vector<std::size_t> trials(group.trials.size());
    std::iota(trials.begin(), trials.end(), std::size_t{0});
    meter.measure(group, trials, [&](const SensitivityPoint& point) { points.push_back(point); });
  }
  return points;
}

/// What the naive sweep finds: the whole cut graph on all images.
struct Naive {
  double top1 = 0;
  double divergence = 0;
};

Naive run_naive(const ir::Graph& graph, const prune::PrunePlan& plan,
                const MeasuringImages& images) {
  ir::Graph cut = graph.clone();
  passes::cut_channels(cut, plan);
  const exec::Program pruned = exec::Program::compile(cut, {});
  const exec::Program whole = exec::Program::compile(graph, {});
  std::int64_t correct = 0;
  double divergence = 0;
  for (std::size_t batch = 0; batch < images.batches.size(); ++batch) {
    const std::vector<Tensor> inputs{images.batches[batch]};
    const Tensor scores = pruned.run(inputs)[0];
    correct += train::count_top_k(scores, images.labels[batch], 1);
    divergence += train::soft_label_divergence(scores, whole.run(inputs)[0], 4).item<double>() *
                  static_cast<double>(scores.size(0));
  }
  return {.top1 = 100.0 * static_cast<double>(correct) / static_cast<double>(images.images),
          .divergence = divergence / static_cast<double>(images.images)};
}

TEST(SensitivityMeter, FindsWhatTheNaiveSweepFinds) {
  const ir::Graph graph = network("ResNet20");
  const MeasuringImages images = images_for(graph, {7, 3, 32, 32}, 5);
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.25, 0.75}});
  EXPECT_EQ(plan.groups.size(), 12U);
  SensitivityMeter meter(graph, images, plan.groups, {.threads = 2});
  EXPECT_NEAR(meter.baseline(), 600.0 / 7, 1e-9);
  const std::vector<SensitivityPoint> points = measure_all(meter, plan);
  ASSERT_EQ(points.size(), 24U);
  double largest = 0;
  for (std::size_t index = 0; index < points.size(); ++index) {
    const SensitivityPoint& point = points[index];
    const Naive naive = run_naive(graph, plan.groups[index / 2].plans[index % 2], images);
    // One image whose two best scores tie within float rounding may differ.
    EXPECT_NEAR(point.metric, naive.top1, 100.0 / 35 + 1e-9) << point.group;
    EXPECT_NEAR(point.divergence, naive.divergence, 1e-3 * naive.divergence + 1e-6) << point.group;
    EXPECT_NEAR(point.loss, meter.baseline() - point.metric, 1e-9);
    EXPECT_LE(point.low, point.loss);
    EXPECT_EQ(point.images, 35);
    EXPECT_FALSE(point.stopped);
    largest = std::max(largest, point.divergence);
  }
  EXPECT_GT(largest, 1e-3) << "cuts must matter for this to prove anything";
}

TEST(SensitivityMeter, DoesNotDependOnThreadsCacheOrOrder) {
  const ir::Graph graph = network("ResNet20");
  const MeasuringImages images = images_for(graph, {4, 3, 32, 32}, 6);
  TrialPlan plan = plan_trials(graph, {.ratios = {0.5}});
  SensitivityMeter reference(graph, images, plan.groups, {.threads = 1});
  const std::vector<SensitivityPoint> expected = measure_all(reference, plan);
  SensitivityMeter small(graph, images, plan.groups, {.threads = 3, .cache_bytes = 1});
  EXPECT_EQ(measure_all(small, plan), expected);
  std::ranges::reverse(plan.groups);
  SensitivityMeter backwards(graph, images, plan.groups, {.threads = 2});
  std::vector<SensitivityPoint> points = measure_all(backwards, plan);
  std::ranges::reverse(points);
  EXPECT_EQ(points, expected);
}

TEST(SensitivityMeter, StopsWhereTheLossIsSurelyTooLarge) {
  const ir::Graph graph = network("FashionCNN");
  const MeasuringImages images = images_for(graph, {30, 1, 28, 28}, 10);
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.05, 0.3, 0.6, 0.9}});
  SensitivityMeter exact(graph, images, plan.groups, {.threads = 2});
  SensitivityMeter adaptive(graph, images, plan.groups, {.max_loss = 5, .threads = 2});
  const std::vector<SensitivityPoint> all = measure_all(exact, plan);
  const std::vector<SensitivityPoint> some = measure_all(adaptive, plan);
  std::size_t num_stopped = 0;
  for (std::size_t index = 0; index < all.size(); ++index) {
    if (!some[index].stopped) {
      EXPECT_NEAR(some[index].loss, all[index].loss, 0.2);
      continue;
    }
    ++num_stopped;
    EXPECT_GT(some[index].low, 5);
    EXPECT_GT(all[index].loss, 5);
    EXPECT_THAT(some[index].images, testing::AnyOf(120, 210)) << "the batches behind 100, 200";
  }
  EXPECT_GT(num_stopped, 0U);
  EXPECT_LT(num_stopped, all.size());
}

/// A network that is sure of most images, as a trained one is: its last layer is drawn large.
ir::Graph sure_network() {
  ir::Graph graph = network("FashionCNN");
  ir::Value& weight = *graph.outputs()[0]->producer()->input(1);
  graph.set_constant(weight, weight.constant().mul(20));
  return graph;
}

TEST(SensitivityMeter, LeavesOutImagesWhoseClassIsSafe) {
  const ir::Graph graph = sure_network();
  const MeasuringImages images = images_for(graph, {30, 1, 28, 28}, 30);
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.05, 0.1}});
  SensitivityMeter exact(graph, images, plan.groups, {.threads = 2});
  SensitivityMeter lean(graph, images, plan.groups, {.max_loss = 100, .threads = 2});
  EXPECT_EQ(lean.baseline(), exact.baseline());
  const std::vector<SensitivityPoint> all = measure_all(exact, plan);
  const std::vector<SensitivityPoint> some = measure_all(lean, plan);
  std::size_t num_leaner = 0;
  for (std::size_t index = 0; index < all.size(); ++index) {
    ASSERT_FALSE(some[index].stopped);
    num_leaner += some[index].images < all[index].images ? 1 : 0;
    EXPECT_GE(some[index].images, 210) << "the first batches behind 200";
    EXPECT_NEAR(some[index].loss, all[index].loss, 0.2);
    EXPECT_NEAR(some[index].divergence, all[index].divergence, 0.2 * all[index].divergence);
  }
  EXPECT_GT(num_leaner, 0U);
  SensitivityMeter small(graph, images, plan.groups,
                         {.max_loss = 100, .threads = 3, .cache_bytes = 1});
  EXPECT_EQ(measure_all(small, plan), some) << "whatever the threads and the cache";
}

/// Images of different batches cannot run together then: batches run whole.
TEST(SensitivityMeter, LeavesOutBatchesOfAFixedSize) {
  ir::Graph graph = sure_network();
  ir::Value& input = *graph.inputs()[0];
  input.set_type({.dtype = tensor::DType::Float32, .shape = tensor::make_shape({5, 1, 28, 28})});
  onnx::infer_shapes(graph);
  const MeasuringImages images = images_for(graph, {5, 1, 28, 28}, 100);
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.05}});
  SensitivityMeter exact(graph, images, plan.groups, {.threads = 2});
  SensitivityMeter lean(graph, images, plan.groups, {.max_loss = 100, .threads = 2});
  const std::vector<SensitivityPoint> all = measure_all(exact, plan);
  const std::vector<SensitivityPoint> some = measure_all(lean, plan);
  std::size_t num_leaner = 0;
  for (std::size_t index = 0; index < all.size(); ++index) {
    num_leaner += some[index].images < all[index].images ? 1 : 0;
    EXPECT_EQ(some[index].images % 5, 0);
    EXPECT_NEAR(some[index].loss, all[index].loss, 0.2);
  }
  EXPECT_GT(num_leaner, 0U);
}

TEST(SensitivityMeter, RunsEqualCountsOnceAndNothingForNothing) {
  const ir::Graph graph = network("FashionCNN");
  const MeasuringImages images = images_for(graph, {10, 1, 28, 28}, 2);
  const TrialPlan plan = plan_trials(graph, {.ratios = {0, 0.3, 0.3001}});
  SensitivityMeter meter(graph, images, plan.groups, {.threads = 2});
  const std::vector<SensitivityPoint> points = measure_all(meter, plan);
  ASSERT_EQ(points.size() % 3, 0U);
  EXPECT_EQ(points[0].removed, 0);
  EXPECT_EQ(points[0].loss, 0);
  EXPECT_EQ(points[0].metric, meter.baseline());
  SensitivityPoint same = points[2];
  same.ratio = points[1].ratio;
  EXPECT_EQ(same, points[1]);
  EXPECT_EQ(points[2].ratio, 0.3001);
}

TEST(SensitivityMeter, MeasuresDivergenceWithoutLabels) {
  const ir::Graph graph = network("FashionCNN");
  MeasuringImages images = images_for(graph, {10, 1, 28, 28}, 2);
  for (Tensor& labels : images.labels) labels.fill_(-1);
  images.labelled = 0;
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.5}});
  kit::expect_user_error([&] { SensitivityMeter meter(graph, images, plan.groups, {}); },
                         "cannot measure the loss of top-1: got 0 images with a label, expected "
                         "labels in the data set (choose --metric divergence");
  SensitivityMeter meter(graph, images, plan.groups,
                         {.metric = SensitivityMetric::Divergence, .threads = 2});
  EXPECT_EQ(meter.baseline(), 0);
  for (const SensitivityPoint& point : measure_all(meter, plan)) {
    EXPECT_GT(point.loss, 0);
    EXPECT_EQ(point.loss, point.divergence);
    EXPECT_EQ(point.metric, point.divergence);
  }
}

TEST(SensitivityMeter, ReestimatesWhatLiesBehindTheCut) {
  const ir::Graph graph = network("ResNet20");
  MeasuringImages images = images_for(graph, {4, 3, 32, 32}, 3);
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.5}, .groups = {"*"}});
  SensitivityMeter plain(graph, images, plan.groups, {.threads = 2});
  const std::vector<SensitivityPoint> before = measure_all(plain, plan);
  // Statistics of the measured images themselves: a cut then costs less on average.
  images.further = images.batches;
  SensitivityMeter renewed(graph, images, plan.groups, {.threads = 2});
  const std::vector<SensitivityPoint> after = measure_all(renewed, plan);
  for (std::size_t index = 0; index < before.size(); ++index) {
    EXPECT_NE(before[index].divergence, after[index].divergence) << before[index].group;
  }
  EXPECT_EQ(renewed.baseline(), plain.baseline());
}

TEST(SensitivityMeter, NamesItsMetrics) {
  EXPECT_EQ(parse_sensitivity_metric("top1"), SensitivityMetric::Top1);
  EXPECT_EQ(to_string(SensitivityMetric::Divergence), "divergence");
  kit::expect_user_error([] { (void)parse_sensitivity_metric("top5"); },
                         "unknown metric of sensitivities: got 'top5' (did you mean 'top1'");
}

TEST(SensitivityMeter, RefusesOutputsWithoutClasses) {
  const ir::Graph graph = network("FashionCNN");
  MeasuringImages images = images_for(graph, {4, 1, 28, 28}, 1);
  ir::Graph features = graph.clone();
  features.set_output(0, *features.nodes()[0]->output());
  onnx::infer_shapes(features);
  const std::vector<GroupTrials> none;
  kit::expect_unsupported([&] { SensitivityMeter meter(features, images, none, {}); },
                          "expected scores of shape [batch, classes] (choose --metric divergence");
}

}  // namespace
}  // namespace espalier::recipe
