#include "espalier/deploy/verdict.h"

#include <gmock/gmock.h>

namespace espalier::deploy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Passes every default bound.
EngineReport sound_report() {
  EngineReport report;
  report.name = "onnxruntime";
  report.integer_mac_share = 1;
  report.mac_nodes = {{.name = "conv1", .op = "Conv", .macs = 100, .integer = true}};
  report.agreement = 0.99;
  report.simulation_agreement = 0.995;
  report.float_metrics = {{"top1", 90.0}};
  report.metrics = {{"top1", 89.9}};
  report.float_latency = LatencySummary{.name = "float", .median_ms = 2};
  report.latency = LatencySummary{.name = "INT8", .median_ms = 1};
  report.speedup = LatencyRatio{.ratio = 2, .low = 1.9, .high = 2.1};
  return report;
}

TEST(Verdict, ASoundReportPassesWithoutNotes) {
  EngineReport report = sound_report();
  judge(report, {});
  EXPECT_TRUE(report.passed());
  EXPECT_THAT(report.notes, IsEmpty());
}

TEST(Verdict, NamesOperatorsLeftInFloat) {
  EngineReport report = sound_report();
  report.integer_mac_share = 0.5;
  report.float_ops = {{.name = "conv2", .op = "Conv", .macs = 50}};
  judge(report, {});
  EXPECT_THAT(report.failures,
              ElementsAre("MACs done in integers: got 50.00 %, expected at least 98.00 %; left in "
                          "float: 'conv2' (Conv, 50 MACs)"));
}

TEST(Verdict, NamesFiveOperatorsAtMost) {
  EngineReport report = sound_report();
  report.integer_mac_share = 0;
  for (int index = 0; index < 8; ++index) {
    report.float_ops.push_back({.name = "c" + std::to_string(index), .op = "Conv", .macs = 1});
  }
  judge(report, {});
  EXPECT_THAT(report.failures, ElementsAre(HasSubstr("'c4' (Conv, 1 MACs) and 3 more")));
}

TEST(Verdict, AModelWithoutMacsHasNoShareToMiss) {
  EngineReport report = sound_report();
  report.integer_mac_share = 0;
  report.mac_nodes.clear();
  judge(report, {});
  EXPECT_TRUE(report.passed());
}

TEST(Verdict, BoundsAgreementWithBoth) {
  EngineReport report = sound_report();
  report.agreement = 0.9;
  report.simulation_agreement = 0.98;
  judge(report, {});
  EXPECT_THAT(report.failures,
              ElementsAre("predictions equal to the float model's: got 90.00 %, expected at least "
                          "95.00 %",
                          "predictions equal to the simulation's: got 98.00 %, expected at least "
                          "99.00 %"));
}

TEST(Verdict, BoundsTheDropOfTheMetric) {
  EngineReport report = sound_report();
  report.metrics["top1"] = 89.0;
  judge(report, {.max_drop = 0.5});
  EXPECT_THAT(report.failures,
              ElementsAre("top1 drops by 1.00 points (90.00 to 89.00), expected at most 0.50"));
}

TEST(Verdict, ABetterMetricIsNoDrop) {
  EngineReport report = sound_report();
  report.metrics["top1"] = 95.0;
  judge(report, {});
  EXPECT_TRUE(report.passed());
}

TEST(Verdict, SlowerThanFloatFailsAndNamesLayers) {
  EngineReport report = sound_report();
  report.speedup = LatencyRatio{.ratio = 0.8, .low = 0.7, .high = 0.9};
  report.latency->median_ms = 2.5;
  report.slower_layers = {
      {.name = "conv1", .type = "QLinearConv", .float_ms = 0.5, .quantized_ms = 0.75},
      {.name = "reorder", .type = "Reorder", .float_ms = std::nullopt, .quantized_ms = 0.25}};
  judge(report, {});
  EXPECT_THAT(report.failures,
              ElementsAre("not faster than float: 2.500 ms against 2.000 ms, 0.80 times as fast "
                          "(95 %: 0.70 to 0.90); layers that cost more: 'conv1' (QLinearConv) "
                          "0.500 -> 0.750 ms, 'reorder' (Reorder) new: 0.250 ms"));
}

TEST(Verdict, SlowerIsANoteWhereItIsAllowed) {
  EngineReport report = sound_report();
  report.speedup = LatencyRatio{.ratio = 0.8, .low = 0.7, .high = 0.9};
  judge(report, {.allow_slower = true});
  EXPECT_TRUE(report.passed());
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("not faster than float")));
}

TEST(Verdict, ASpeedUpWithinTheNoiseIsNoted) {
  EngineReport report = sound_report();
  report.speedup = LatencyRatio{.ratio = 1.05, .low = 0.98, .high = 1.1};
  judge(report, {});
  EXPECT_TRUE(report.passed());
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("barely faster than float")));
}

TEST(Verdict, NanFails) {
  EngineReport report = sound_report();
  report.not_finite = 3;
  judge(report, {});
  EXPECT_THAT(report.failures, ElementsAre("3 output values are NaN or infinite"));
}

TEST(Verdict, WhatWasNotMeasuredIsNotJudged) {
  EngineReport report;
  judge(report, {});
  EXPECT_TRUE(report.passed());
}

}  // namespace
}  // namespace espalier::deploy
