#include "espalier/quant/clusters.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/quant/distribution.h"

namespace espalier::quant {
namespace {

/// Share of the values that decides whether two ranges are alike; leaves out single outliers.
constexpr double kTypicalShare = 0.9999;

const ValueStatistics& statistics_of(const Statistics& statistics, const std::string& value) {
  const auto place = statistics.values.find(value);
  if (place != statistics.values.end()) return place->second;
  throw base::UserError({.what = "cannot choose ranges",
                         .where = fmt::format("value '{}'", value),
                         .got = "no statistics",
                         .expected = "statistics of every value that becomes quantized",
                         .hint = "calibrate with the same target and options"});
}

ValueStatistics join(const ValueGroup& group, const Statistics& statistics) {
  ValueStatistics joined = statistics_of(statistics, group.observed.front());
  for (std::size_t index = 1; index < group.observed.size(); ++index) {
    merge_into(joined, statistics_of(statistics, group.observed[index]));
  }
  base::check(joined.histogram.finite() > 0,
              "cannot choose a range for value '{}': got no finite value", group.values.front());
  return joined;
}

/// Disjoint sets of groups.
class Joined {
 public:
  explicit Joined(std::size_t size) : parent_(size) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }
  std::size_t find(std::size_t item) {
    while (parent_[item] != item) item = parent_[item] = parent_[parent_[item]];
    return item;
  }
  /// The smaller number stays: graph order.
  void join(std::size_t first, std::size_t second) {
    first = find(first);
    second = find(second);
    parent_[std::max(first, second)] = std::min(first, second);
  }

 private:
  std::vector<std::size_t> parent_;
};

bool alike(const std::vector<Cluster>& clusters, const std::vector<std::size_t>& members) {
  double smallest = std::numeric_limits<double>::infinity();
  double largest = 0;
  const ops::OutputRange& bounds = clusters[members.front()].bounds;
  const ops::OutputRange& result = clusters[members.back()].bounds;
  if (!(result == ops::OutputRange{}) && !(result == bounds)) return false;
  // The last member is the result, which holds the values of all others.
  for (std::size_t index = 0; index + 1 < members.size(); ++index) {
    const Cluster& cluster = clusters[members[index]];
    if (!(cluster.bounds == bounds)) return false;
    const Distribution distribution(cluster.statistics.histogram);
    const double magnitude = distribution.magnitude_quantile(kTypicalShare);
    smallest = std::min(smallest, magnitude);
    largest = std::max(largest, magnitude);
  }
  return largest <= smallest * kSharedRangeRatio;
}

}  // namespace

std::vector<Cluster> make_clusters(const Placement& placement, const Statistics& statistics) {
  std::vector<Cluster> clusters;
  for (const ValueGroup& group : placement.groups) {
    clusters.push_back(
        {.values = group.values, .statistics = join(group, statistics), .bounds = group.bounds});
  }
  Joined joined(clusters.size());
  for (const SharedGroups& shared : placement.shared) {
    std::vector<std::size_t> members;
    for (const std::size_t group : shared.groups) members.push_back(joined.find(group));
    if (!alike(clusters, members)) continue;
    for (const std::size_t member : members) {
      const std::size_t first = joined.find(members.front());
      const std::size_t other = joined.find(member);
      if (first == other) continue;
      joined.join(first, other);
      Cluster& kept = clusters[std::min(first, other)];
      Cluster& gone = clusters[std::max(first, other)];
      kept.values.insert(kept.values.end(), gone.values.begin(), gone.values.end());
      merge_into(kept.statistics, gone.statistics);
      // The result ends where its inputs do.
      kept.bounds.low = std::max(kept.bounds.low, gone.bounds.low);
      kept.bounds.high = std::min(kept.bounds.high, gone.bounds.high);
    }
  }
  std::vector<Cluster> kept;
  for (std::size_t index = 0; index < clusters.size(); ++index) {
    if (joined.find(index) == index) kept.push_back(std::move(clusters[index]));
  }
  return kept;
}

}  // namespace espalier::quant
