#include "espalier/quant/clusters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

ops::OutputRange relu() {
  ops::OutputRange range;
  range.low = 0;
  return range;
}

/// Two inputs a, b of a concatenation and its result c.
Placement concat(const ops::OutputRange& first, const ops::OutputRange& second) {
  Placement placement;
  placement.groups = {{.values = {"a"}, .observed = {"a"}, .bounds = first},
                      {.values = {"b"}, .observed = {"b"}, .bounds = second},
                      {.values = {"c", "d"}, .observed = {"c", "d"}, .bounds = {}}};
  placement.shared = {{.node = "cat", .groups = {0, 1, 2}}};
  return placement;
}

Statistics with_ranges(float first, float second) {
  Statistics statistics;
  statistics.values["a"] = quant_test::statistics_of({0.5F * first, first});
  statistics.values["b"] = quant_test::statistics_of({0.5F * second, second});
  statistics.values["c"] = quant_test::statistics_of({first, second});
  statistics.values["d"] = quant_test::statistics_of({second});
  return statistics;
}

std::vector<std::vector<std::string>> values_of(const std::vector<Cluster>& clusters) {
  std::vector<std::vector<std::string>> values;
  for (const Cluster& cluster : clusters) values.push_back(cluster.values);
  return values;
}

TEST(Clusters, JoinAlikeInputsWithTheResult) {
  const auto clusters = make_clusters(concat(relu(), relu()), with_ranges(2.0F, 3.0F));
  ASSERT_EQ(clusters.size(), 1U);
  EXPECT_THAT(clusters[0].values, testing::ElementsAre("a", "b", "c", "d"));
  EXPECT_EQ(clusters[0].statistics.histogram.max(), 3.0F);
  EXPECT_EQ(clusters[0].statistics.histogram.finite(), 7U);
  EXPECT_EQ(clusters[0].bounds, relu());
}

TEST(Clusters, KeepInputsApartWhoseRangesDiffer) {
  const auto clusters = make_clusters(concat({}, {}), with_ranges(1.0F, 10.0F));
  EXPECT_THAT(values_of(clusters),
              testing::ElementsAre(testing::ElementsAre("a"), testing::ElementsAre("b"),
                                   testing::ElementsAre("c", "d")));
}

// A ReLU output needs its zero point at the lowest code, a signed value does not have it there.
TEST(Clusters, KeepInputsApartWhoseActivationsDiffer) {
  EXPECT_EQ(make_clusters(concat(relu(), {}), with_ranges(2.0F, 2.0F)).size(), 3U);
}

TEST(Clusters, TakeAllObservedValuesOfAGroup) {
  const auto clusters = make_clusters(concat({}, {}), with_ranges(1.0F, 10.0F));
  EXPECT_EQ(clusters[2].statistics.histogram.finite(), 3U);
}

TEST(Clusters, NameValuesWithoutStatistics) {
  Statistics statistics = with_ranges(1.0F, 1.0F);
  statistics.values.erase("b");
  kit::expect_user_error([&] { (void)make_clusters(concat({}, {}), statistics); },
                         "value 'b': got no statistics");
  statistics.values["b"] = {};
  kit::expect_user_error([&] { (void)make_clusters(concat({}, {}), statistics); },
                         "value 'b': got no finite value");
}

}  // namespace
}  // namespace espalier::quant
