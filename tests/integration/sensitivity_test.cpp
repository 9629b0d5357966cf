// Exact sensitivities on networks of all kinds: what runs behind held activations must find what
// the whole cut graph finds.
#include <ATen/ops/argmax.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "espalier/exec/program.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/recipe/sensitivity_meter.h"
#include "tests/integration/small_networks.h"

namespace espalier::recipe {
namespace {

class SmallNetworkSensitivity : public testing::TestWithParam<prune_test::SmallNetwork> {};

/// Two batches that fit the only input of a graph, labelled by what the graph says.
MeasuringImages make_images(const ir::Graph& graph) {
  std::vector<std::int64_t> sizes{6};
  const tensor::Shape& shape = *graph.inputs()[0]->type().shape;
  for (std::size_t axis = 1; axis < shape.size(); ++axis) {
    sizes.push_back(shape[axis].size.value_or(32));
  }
  const exec::Program program = exec::Program::compile(graph, {});
  MeasuringImages images;
  for (int batch = 0; batch < 2; ++batch) {
    images.batches.push_back(at::randn(sizes));
    images.labels.push_back(program.run(std::vector{images.batches.back()})[0].argmax(1));
    images.images += sizes[0];
    images.labelled += sizes[0];
  }
  return images;
}

TEST_P(SmallNetworkSensitivity, IsThatOfTheWholeCutGraph) {
  ir::Graph graph = GetParam().make();
  onnx::infer_shapes(graph);
  if (graph.inputs().size() != 1) GTEST_SKIP() << "several inputs";
  const TrialPlan plan = plan_trials(graph, {.ratios = {0.3, 0.6}});
  const MeasuringImages images = make_images(graph);
  SensitivityMeter meter(graph, images, plan.groups,
                         {.metric = SensitivityMetric::Divergence, .threads = 2});
  const exec::Program whole = exec::Program::compile(graph, {});
  for (const GroupTrials& group : plan.groups) {
    std::size_t trial = 0;
    meter.measure(group, {0, 1}, [&](const SensitivityPoint& point) {
      ir::Graph cut = graph.clone();
      passes::cut_channels(cut, group.plans[trial++]);
      const exec::Program program = exec::Program::compile(cut, {});
      PairedMean expected;
      for (const Tensor& batch : images.batches) {
        const std::vector<Tensor> inputs{batch};
        for (const double value : divergences(program.run(inputs)[0], whole.run(inputs)[0])) {
          expected.add(value);
        }
      }
      EXPECT_NEAR(point.divergence, expected.mean(), 1e-3 * expected.mean() + 1e-6)
          << group.group << ' ' << point.ratio;
    });
  }
}

INSTANTIATE_TEST_SUITE_P(All, SmallNetworkSensitivity,
                         testing::ValuesIn(prune_test::small_networks()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace espalier::recipe
