#include "espalier/deploy/latency.h"

#include <cmath>
#include <memory>

#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"

namespace espalier::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

/// Subjects that only move a clock forward and write down who ran.
struct Stage {
  double now = 0;
  std::vector<std::string> order;

  LatencySubject subject(const std::string& name, double milliseconds) {
    return {.name = name, .run = [this, name, milliseconds] {
              order.push_back(name);
              now += milliseconds;
            }};
  }
  [[nodiscard]] LatencyOptions options(int rounds) {
    return {.rounds = rounds, .warm_up = 1, .min_sample_ms = 0, .now_ms = [this] { return now; }};
  }
};

TEST(Latency, RunsInterleavedAndReversesEveryOtherRound) {
  Stage stage;
  const std::vector<LatencySubject> subjects = {stage.subject("a", 1), stage.subject("b", 2)};
  const auto times = measure_interleaved(subjects, stage.options(3));
  EXPECT_THAT(stage.order, ElementsAre("a", "b", "a", "b", "b", "a", "a", "b"));
  EXPECT_THAT(times[0].samples_ms, ElementsAre(1, 1, 1));
  EXPECT_EQ(times[1].median_ms, 2);
  EXPECT_EQ(times[1].name, "b");
}

TEST(Latency, RepeatsShortWorkInsideASample) {
  Stage stage;
  const std::vector<LatencySubject> subjects = {stage.subject("short", 0.25)};
  LatencyOptions options = stage.options(2);
  options.min_sample_ms = 1;
  const auto times = measure_interleaved(subjects, options);
  EXPECT_THAT(stage.order, SizeIs(1 + 2 * 4));
  EXPECT_THAT(times[0].samples_ms, ElementsAre(0.25, 0.25));
}

TEST(Latency, StopsAfterAWholeRoundWhenTimeIsUp) {
  Stage stage;
  const std::vector<LatencySubject> subjects = {stage.subject("a", 600), stage.subject("b", 600)};
  LatencyOptions options = stage.options(100);
  options.max_seconds = 2;
  const auto times = measure_interleaved(subjects, options);
  EXPECT_THAT(times[0].samples_ms, SizeIs(2));
  EXPECT_THAT(times[1].samples_ms, SizeIs(2));
}

TEST(Latency, RefusesNoRounds) {
  kit::expect_user_error([] { (void)measure_interleaved({}, {.rounds = 0}); },
                         "latency needs at least one round: got 0");
}

TEST(Latency, ErrorsOfTheWorkPassThrough) {
  const std::vector<LatencySubject> subjects = {
      {.name = "bad", .run = [] { throw std::runtime_error("broken"); }}};
  EXPECT_THROW((void)measure_interleaved(subjects, {}), std::runtime_error);
}

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  const std::vector<double> sorted = {1, 2, 3, 4, 5};
  EXPECT_EQ(quantile(sorted, 0.5), 3);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.1), 1.4);
  EXPECT_DOUBLE_EQ(quantile(sorted, 0.9), 4.6);
  EXPECT_EQ(quantile(sorted, 1), 5);
  EXPECT_EQ(quantile(std::vector<double>{7}, 0.9), 7);
}

TEST(PairedRatio, UsesRoundsNotMedians) {
  const LatencySummary top{.name = "t", .samples_ms = {10, 40, 30}};
  const LatencySummary bottom{.name = "b", .samples_ms = {5, 10, 30}};
  const LatencyRatio ratio = paired_ratio(top, bottom);
  EXPECT_EQ(ratio.ratio, 2);
  EXPECT_EQ(ratio.low, 1);
  EXPECT_EQ(ratio.high, 4);
}

/// Ranks of the textbook sign-test interval for the median at 95 %: for 30 values the 10th and the
/// 21st, for 10 values the 2nd and the 9th, for 6 the 1st and the 6th.
TEST(PairedRatio, IntervalHasTheRanksOfTheSignTest) {
  struct Row {
    int count;
    double low;
    double high;
  };
  for (const Row& row : {Row{30, 10, 21}, Row{10, 2, 9}, Row{6, 1, 6}, Row{3, 1, 3}}) {
    LatencySummary top{.name = "t"};
    LatencySummary bottom{.name = "b"};
    for (int value = 1; value <= row.count; ++value) {
      top.samples_ms.push_back(value);
      bottom.samples_ms.push_back(1);
    }
    const LatencyRatio ratio = paired_ratio(top, bottom);
    EXPECT_EQ(ratio.low, row.low) << row.count;
    EXPECT_EQ(ratio.high, row.high) << row.count;
    EXPECT_EQ(ratio.interval, row.count >= 6) << "2 / 2^n <= 0.05 from 6 on";
  }
}

/// Two subjects of which the second takes 1 or 3 ms in turn; the first always 2.
LatencyPair undecided(Stage& stage, double most_seconds) {
  auto run = std::make_shared<int>(0);
  const LatencySubject second{.name = "b",
                              .run = [&stage, run] { stage.now += (*run)++ % 2 == 0 ? 1 : 3; }};
  return measure_pair(stage.subject("a", 2), second, stage.options(10), most_seconds);
}

TEST(LatencyPair, MoreRoundsWhereTheRatioIsUndecided) {
  Stage stage;
  EXPECT_THAT(undecided(stage, 60).first.samples_ms, SizeIs(160)) << "16 times as many";
  // Ten rounds take 40 ms, four times as many 160 ms.
  EXPECT_THAT(undecided(stage, 0.3).first.samples_ms, SizeIs(40));
  EXPECT_THAT(undecided(stage, 0.1).second.samples_ms, SizeIs(10));
}

TEST(LatencyPair, NoMoreThanAskedForWhereItIsDecided) {
  Stage stage;
  for (const double other : {1.0, 4.0}) {
    const LatencyPair pair =
        measure_pair(stage.subject("a", 2), stage.subject("b", other), stage.options(10));
    EXPECT_THAT(pair.first.samples_ms, SizeIs(10));
    EXPECT_EQ(pair.ratio.ratio, 2 / other);
  }
  const LatencyPair few =
      measure_pair(stage.subject("a", 2), stage.subject("b", 2), stage.options(3));
  EXPECT_THAT(few.second.samples_ms, SizeIs(3)) << "three rounds have no interval";
}

TEST(PairedRatio, NeedsSamples) {
  kit::expect_user_error([] { (void)paired_ratio({.name = "x"}, {.name = "y"}); },
                         "cannot compare the times of 'x' and 'y': one of them has no samples");
}

}  // namespace
}  // namespace espalier::deploy
