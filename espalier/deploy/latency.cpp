#include "espalier/deploy/latency.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"

namespace espalier::deploy {
namespace {

double steady_ms() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double, std::milli>(now).count();
}

/// Milliseconds of one run when the work is done `repeats` times.
double time_runs(const LatencySubject& subject, int repeats,
                 const std::function<double()>& now_ms) {
  const double start = now_ms();
  for (int repeat = 0; repeat < repeats; ++repeat) subject.run();
  return (now_ms() - start) / repeats;
}

/// Runs the warm-up and chooses how often a sample repeats the work.
int warm_up(const LatencySubject& subject, const LatencyOptions& options,
            const std::function<double()>& now_ms) {
  constexpr double kMostRepeats = 10000;
  double shortest = time_runs(subject, 1, now_ms);
  for (int run = 1; run < options.warm_up; ++run) {
    shortest = std::min(shortest, time_runs(subject, 1, now_ms));
  }
  if (shortest >= options.min_sample_ms) return 1;
  const double floor = options.min_sample_ms / kMostRepeats;
  return static_cast<int>(std::ceil(options.min_sample_ms / std::max(shortest, floor)));
}

void summarize(LatencySummary& summary) {
  std::vector<double> sorted = summary.samples_ms;
  std::ranges::sort(sorted);
  summary.median_ms = quantile(sorted, 0.5);
  summary.p10_ms = quantile(sorted, 0.1);
  summary.p90_ms = quantile(sorted, 0.9);
}

/// Largest k such that [x_(k), x_(n+1-k)] (counting from 1) covers the median with 95 %:
/// 2 P(B <= k - 1) <= 0.05 for B ~ Binomial(n, 1/2); 1 when there is none.
std::size_t median_rank(std::size_t count) {
  double probability = std::exp2(-static_cast<double>(count));
  double cumulative = probability;
  std::size_t rank = 1;
  for (std::size_t k = 1; k <= count / 2; ++k) {
    if (2 * cumulative > 0.05) break;
    rank = k;
    probability *= static_cast<double>(count - k + 1) / static_cast<double>(k);
    cumulative += probability;
  }
  return rank;
}

}  // namespace

double quantile(std::span<const double> sorted, double share) {
  base::invariant(!sorted.empty() && share >= 0 && share <= 1, "no quantile {} of {} samples",
                  share, sorted.size());
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  return sorted[below] + part * (sorted[above] - sorted[below]);
}

std::vector<LatencySummary> measure_interleaved(std::span<const LatencySubject> subjects,
                                                const LatencyOptions& options) {
  base::check(options.rounds >= 1, "latency needs at least one round: got {}", options.rounds);
  const std::function<double()> now_ms = options.now_ms ? options.now_ms : steady_ms;
  std::vector<LatencySummary> summaries;
  std::vector<int> repeats;
  for (const LatencySubject& subject : subjects) {
    base::stop_if_interrupted();
    summaries.push_back({.name = subject.name});
    repeats.push_back(warm_up(subject, options, now_ms));
  }
  const double start = now_ms();
  for (int round = 0; round < options.rounds; ++round) {
    base::stop_if_interrupted();
    for (std::size_t place = 0; place < subjects.size(); ++place) {
      const std::size_t index = round % 2 == 0 ? place : subjects.size() - 1 - place;
      summaries[index].samples_ms.push_back(time_runs(subjects[index], repeats[index], now_ms));
    }
    if (now_ms() - start > options.max_seconds * 1000) break;
  }
  for (LatencySummary& summary : summaries) summarize(summary);
  return summaries;
}

LatencyRatio paired_ratio(const LatencySummary& numerator, const LatencySummary& denominator) {
  const std::size_t count = std::min(numerator.samples_ms.size(), denominator.samples_ms.size());
  base::check(count > 0, "cannot compare the times of '{}' and '{}': one of them has no samples",
              numerator.name, denominator.name);
  constexpr double kShortest = 1e-9;
  std::vector<double> ratios;
  for (std::size_t round = 0; round < count; ++round) {
    ratios.push_back(numerator.samples_ms[round] /
                     std::max(denominator.samples_ms[round], kShortest));
  }
  std::ranges::sort(ratios);
  const std::size_t rank = median_rank(count);
  constexpr std::size_t kLeastRounds = 6;  // 2 / 2^n <= 0.05
  return {.ratio = quantile(ratios, 0.5),
          .low = ratios[rank - 1],
          .high = ratios[count - rank],
          .interval = count >= kLeastRounds};
}

LatencyPair measure_pair(const LatencySubject& first, const LatencySubject& second,
                         const LatencyOptions& options, double most_seconds) {
  constexpr int kMore = 4;
  constexpr int kMost = kMore * kMore;
  const std::function<double()> now_ms = options.now_ms ? options.now_ms : steady_ms;
  const LatencySubject subjects[] = {first, second};
  LatencyOptions attempt = options;
  while (true) {
    const double start = now_ms();
    std::vector<LatencySummary> times = measure_interleaved(subjects, attempt);
    const double seconds = (now_ms() - start) / 1000;
    const LatencyRatio ratio = paired_ratio(times[0], times[1]);
    const bool undecided = ratio.interval && ratio.low <= 1 && ratio.high > 1;
    const bool affordable =
        attempt.rounds < kMost * options.rounds && kMore * seconds < most_seconds;
    if (!undecided || !affordable) {
      return {.first = std::move(times[0]), .second = std::move(times[1]), .ratio = ratio};
    }
    attempt.rounds *= kMore;
  }
}

}  // namespace espalier::deploy
