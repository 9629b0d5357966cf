#include "espalier/ops/estimator.h"

#include <algorithm>

#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "espalier/ops/weight.h"
#include "tests/kit/expect_error.h"

namespace espalier::ops {
namespace {

using testing::IsEmpty;

struct PortCase {
  std::string estimator;
  std::vector<std::size_t> learned;
  std::vector<std::size_t> observed;
};

/// FakeQuantize(x, scale, zero_point, state) with float parameters.
ir::Graph quantizer_graph(const std::string& estimator) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {tensor::DType::Float32, std::nullopt});
  ir::Attributes attributes{{"qmin", std::int64_t{0}}, {"qmax", std::int64_t{255}}};
  if (!estimator.empty()) attributes["estimator"] = estimator;
  graph.add_node({.op = "FakeQuantize",
                  .inputs = {&x, &graph.add_initializer("s", at::ones({})),
                             &graph.add_initializer("z", at::zeros({})),
                             &graph.add_initializer("state", at::zeros({3}))},
                  .outputs = {"y"},
                  .attributes = attributes,
                  .name = "fq",
                  .domain = std::string(ir::kEspalierDomain)});
  return graph;
}

TEST(Estimator, SaysWhatTrainingChanges) {
  const std::vector<PortCase> cases{{"", {}, {}},
                                    {"abs_max", {}, {1}},
                                    {"lsq", {1}, {}},
                                    {"lsq_plus", {1, 3}, {2}},
                                    {"moving_average_abs_max", {}, {1, 3}},
                                    {"moving_average_min_max", {}, {1, 2, 3}},
                                    {"pact", {3}, {1}},
                                    {"range_abs_max", {}, {1, 3}}};
  EXPECT_EQ(cases.size(), estimators().size() + 1);
  for (const PortCase& row : cases) {
    const ir::Graph graph = quantizer_graph(row.estimator);
    const ir::Node& node = *graph.find_node("fq");
    EXPECT_THAT(trainable_inputs(node), testing::ElementsAreArray(row.learned)) << row.estimator;
    EXPECT_THAT(running_statistics_inputs(node), testing::ElementsAreArray(row.observed))
        << row.estimator;
  }
}

TEST(Estimator, TheTableIsSortedAndEveryRowServesSomething) {
  EXPECT_TRUE(std::ranges::is_sorted(estimators(), {}, &Estimator::name));
  for (const Estimator& row : estimators()) {
    EXPECT_TRUE(row.for_weights || row.for_activations) << row.name;
    EXPECT_EQ(contains(row.learned | row.observed, kEstimatorState), !row.state.empty())
        << row.name;
    EXPECT_EQ(row.learned & row.observed, kNoPorts) << row.name;
    EXPECT_EQ(find_estimator(row.name), &row);
  }
}

TEST(Estimator, RefusesUnknownNames) {
  EXPECT_EQ(find_estimator("lsqq"), nullptr);
  const ir::Graph graph = quantizer_graph("lsqq");
  const std::string text = kit::expect_user_error(
      [&] { (void)estimator_of(*graph.find_node("fq")); }, "unknown estimator: node 'fq'");
  EXPECT_THAT(text, testing::HasSubstr("got 'lsqq'"));
  EXPECT_THAT(text, testing::HasSubstr("lsq"));
}

TEST(Estimator, OtherNodesHaveNone) {
  ir::Graph graph;
  ir::Value& x = graph.add_input("x", {tensor::DType::Float32, std::nullopt});
  const ir::Node& node = graph.add_node({.op = "Relu", .inputs = {&x}, .outputs = {"y"}});
  EXPECT_EQ(estimator_of(node), nullptr);
  EXPECT_THAT(trainable_inputs(node), IsEmpty());
}

}  // namespace
}  // namespace espalier::ops
