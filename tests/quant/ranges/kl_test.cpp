#include <cmath>
#include <limits>
#include <numeric>

#include <gtest/gtest.h>

#include "espalier/quant/ranges/ranges.h"
#include "tests/quant/raw_data.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

/// Divergence of one candidate, bin by bin from the definition.
double naive_divergence(const std::vector<double>& counts, std::size_t bins, std::size_t levels) {
  std::vector<double> p(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(bins));
  std::vector<double> q(bins, 0.0);
  for (std::size_t level = 0; level < levels; ++level) {
    const std::size_t from = level * bins / levels;
    const std::size_t to = (level + 1) * bins / levels;
    double sum = 0;
    double used = 0;
    for (std::size_t bin = from; bin < to; ++bin) {
      sum += p[bin];
      used += p[bin] > 0 ? 1 : 0;
    }
    for (std::size_t bin = from; bin < to; ++bin) q[bin] = p[bin] > 0 ? sum / used : 0;
  }
  for (std::size_t bin = bins; bin < counts.size(); ++bin) p[bins - 1] += counts[bin];
  double p_total = 0;
  double q_total = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    p_total += p[bin];
    q_total += q[bin];
  }
  double divergence = 0;
  for (std::size_t bin = 0; bin < bins; ++bin) {
    if (p[bin] == 0) continue;
    if (q[bin] == 0) return std::numeric_limits<double>::infinity();
    divergence += p[bin] / p_total * std::log(p[bin] / p_total / (q[bin] / q_total));
  }
  return divergence;
}

struct Naive {
  std::size_t bins = 0;
  double divergence = 0;
};

/// Counts of |x| without zeros.
std::vector<double> magnitude_counts(const std::vector<float>& values, double width) {
  std::vector<double> counts;
  for (const float value : values) {
    if (value == 0) continue;
    const auto bin = static_cast<std::size_t>(std::abs(static_cast<double>(value)) / width);
    counts.resize(std::max(counts.size(), bin + 1));
    ++counts[bin];
  }
  return counts;
}

/// Tries every candidate that leaves 95 % of the values inside.
Naive naive_kl(const std::vector<double>& counts, std::size_t levels) {
  const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
  Naive best{.divergence = std::numeric_limits<double>::infinity()};
  double outside = 0;
  for (std::size_t bins = counts.size(); bins >= levels && outside <= 0.05 * total; --bins) {
    const double found = naive_divergence(counts, bins, levels);
    if (found < best.divergence) best = {bins, found};
    outside += counts[bins - 1];
  }
  return best;
}

TEST(KlRange, FindsTheBestThreshold) {
  for (const auto& set : quant_test::raw_data_sets(8000)) {
    SCOPED_TRACE(set.name);
    const auto statistics = quant_test::statistics_of(set.values);
    const double width = statistics.histogram.width() * 2;
    const std::vector<double> counts = magnitude_counts(set.values, width);
    const Naive best = naive_kl(counts, 128);
    const RangeOptions options{.grid = {.bits = 8, .is_signed = true}, .symmetric = true};
    const Range range = kl_range(statistics, options);
    const auto bins = static_cast<std::size_t>(std::lround(range.high / width));
    // The outermost bin ends at the largest value.
    const bool whole = range.high >= std::max(static_cast<double>(statistics.histogram.max()),
                                              -static_cast<double>(statistics.histogram.min()));
    const double found = naive_divergence(counts, whole ? counts.size() : bins, 128);
    EXPECT_NEAR(found, best.divergence, 1e-9)
        << range.high << " against " << static_cast<double>(best.bins) * width;
  }
}

TEST(KlRange, CutsAnOutlier) {
  const auto set = quant_test::raw_data_sets()[3];
  const Range range = kl_range(quant_test::statistics_of(set.values), {.grid = {.bits = 8}});
  EXPECT_LT(range.high, 20);
  EXPECT_GT(range.high, 2);
}

TEST(KlRange, DoesNotDependOnZeros) {
  auto set = quant_test::raw_data_sets()[2];
  const RangeOptions options{.grid = {.bits = 8}};
  const Range before = kl_range(quant_test::statistics_of(set.values), options);
  set.values.insert(set.values.end(), 100000, 0.0F);
  EXPECT_EQ(kl_range(quant_test::statistics_of(set.values), options), before);
}

TEST(KlRange, KeepsFewBinsWhole) {
  const auto statistics = quant_test::statistics_of({0.0F});
  EXPECT_EQ(kl_range(statistics, {.grid = {.bits = 8}}), (Range{0, 0}));
  const RangeOptions many{.grid = {.bits = 16}};
  EXPECT_EQ(kl_range(quant_test::statistics_of({-1.0F, 2.0F}), many), (Range{-1, 2}));
}

}  // namespace
}  // namespace espalier::quant
