#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace espalier::deploy {

/// One thing to time: `run` does the work once.
struct LatencySubject {
  std::string name;
  std::function<void()> run;
};

struct LatencyOptions {
  int rounds = 30;             ///< samples of every subject, at least 1
  int warm_up = 3;             ///< untimed runs of every subject before the first round
  double min_sample_ms = 2.0;  ///< short work is repeated inside a sample until it lasts this long
  double max_seconds = 60.0;   ///< stops early, after a whole round, once this much time has passed
  /// Milliseconds since any fixed point; empty: the steady clock. Tests put their own.
  std::function<double()> now_ms = {};
};

/// Times of one subject, in milliseconds a run.
struct LatencySummary {
  std::string name;
  double median_ms = 0;
  double p10_ms = 0;
  double p90_ms = 0;
  std::vector<double> samples_ms = {};  ///< one a round, in order
};

/// Times all subjects interleaved: every round runs each subject once, in an order that is reversed
/// from round to round (A B, B A, A B, ...), so that drift of the machine hits all alike.
/// Exceptions of the subjects pass through. Stops with Interrupted when a signal has arrived.
[[nodiscard]] std::vector<LatencySummary> measure_interleaved(
    std::span<const LatencySubject> subjects, const LatencyOptions& options = {});

/// A ratio of two subjects' times from the rounds they share.
struct LatencyRatio {
  double ratio = 0;  ///< median over the rounds of numerator / denominator
  double low = 0;    ///< 95 % interval of that median, from its order statistics (no distribution
  double high = 0;   ///< is assumed); with fewer than 6 rounds the smallest and largest ratio,
  bool interval = true;  ///< and this is false
};

/// Throws UserError when one side has no samples.
[[nodiscard]] LatencyRatio paired_ratio(const LatencySummary& numerator,
                                        const LatencySummary& denominator);

/// Two subjects and how their times compare.
struct LatencyPair {
  LatencySummary first;
  LatencySummary second;
  LatencyRatio ratio;  ///< first / second
};

/// Times two subjects. Where the interval of their ratio holds 1, which is then undecided, they are
/// timed anew with four times as many rounds, at most twice, as far as that takes less than
/// `most_seconds`.
[[nodiscard]] LatencyPair measure_pair(const LatencySubject& first, const LatencySubject& second,
                                       const LatencyOptions& options, double most_seconds = 10);

/// Quantile by linear interpolation between order statistics (Hyndman and Fan's definition 7).
/// `sorted` ascending and not empty.
[[nodiscard]] double quantile(std::span<const double> sorted, double share);

}  // namespace espalier::deploy
