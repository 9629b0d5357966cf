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

TEST(Verdict, CountsWhatOptionsLeaveToIntegers) {
  EngineReport report = sound_report();
  report.integer_mac_share = 0.45;
  report.left_out_mac_share = 0.5;
  judge(report, {.min_integer_mac_share = 0.9});
  EXPECT_TRUE(report.passed());
  judge(report, {.min_integer_mac_share = 0.95});
  EXPECT_THAT(report.failures,
              ElementsAre("MACs done in integers, of those that options leave to them: got 90.00 "
                          "%, expected at least 95.00 %"));
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
  report.simulation_different = 2;
  judge(report, {});
  EXPECT_THAT(report.failures,
              ElementsAre("predictions equal to the float model's: got 90.00 %, expected at least "
                          "95.00 %",
                          "predictions equal to the simulation's: got 98.00 %, expected at least "
                          "99.00 %"));
}

TEST(Verdict, TellsWhenMoreImagesCouldDecideOtherwise) {
  EngineReport report = sound_report();
  report.images = 50;
  report.agreement = 0.94;
  report.different = 3;
  judge(report, {});
  // Wilson's interval of 47 out of 50.
  EXPECT_THAT(
      report.failures,
      ElementsAre("predictions equal to the float model's: got 94.00 %, expected at least "
                  "95.00 % (95 % interval of 50 images: 83.78 to 97.94 %; more would tell)"));
  report = sound_report();
  report.images = 5000;
  report.agreement = 0.94;
  report.different = 300;
  judge(report, {});
  EXPECT_THAT(report.failures, ElementsAre(testing::Not(HasSubstr("more would tell"))));
}

TEST(Verdict, OneOfSeveralPredictionsIsNoEvidenceButANote) {
  EngineReport report = sound_report();
  report.images = 4;
  report.agreement = 0.75;
  report.different = 1;
  judge(report, {.max_drop = 100});
  EXPECT_THAT(report.failures, IsEmpty());
  EXPECT_THAT(report.notes, ElementsAre(HasSubstr("one of 4 predictions differs")));
}

TEST(Verdict, ManyPixelsOfOneImageAreEvidence) {
  EngineReport report = sound_report();
  report.images = 2;
  report.agreement = 0.6;
  report.different = 800;
  judge(report, {});
  EXPECT_THAT(report.failures, ElementsAre("predictions equal to the float model's: got 60.00 %, "
                                           "expected at least 95.00 %"));
  EXPECT_THAT(report.notes, IsEmpty());
}

TEST(Verdict, TheOnlyPredictionMustBeRight) {
  EngineReport report = sound_report();
  report.images = 1;
  report.agreement = 0;
  report.metrics = {{"top1", 0.0}};
  judge(report, {});
  EXPECT_THAT(report.failures, ElementsAre(HasSubstr("float model's: got 0.00 %"),
                                           HasSubstr("top1 drops by 90.00 points")));
}

TEST(Verdict, OnePredictionBesideTheSimulationIsNoEvidence) {
  EngineReport report = sound_report();
  report.simulation_agreement = 0.5;
  report.simulation_different = 1;
  judge(report, {});
  EXPECT_THAT(report.failures, IsEmpty());
}

TEST(Verdict, BoundsPlainValuesWithBoth) {
  EngineReport report = sound_report();
  report.agreement.reset();
  report.value_sqnr_db = 12.0;
  report.simulation_value_sqnr_db = 19.0;
  judge(report, {});
  EXPECT_THAT(report.failures,
              ElementsAre("values against the float model's: got a signal to noise of 12.0 dB, "
                          "expected at least 20.0 dB",
                          "values against the simulation's: got a signal to noise of 19.0 dB, "
                          "expected at least 20.0 dB"));
  report.failures.clear();
  judge(report, {.min_value_sqnr_db = 10});
  EXPECT_THAT(report.failures, IsEmpty());
}

TEST(Verdict, ImagesWithoutAComparisonFail) {
  EngineReport report = sound_report();
  report.images = 5;
  report.agreement.reset();
  judge(report, {});
  EXPECT_THAT(report.failures, ElementsAre("no output could be compared with the float model's"));
}

TEST(Verdict, AFewRoundsGiveNoInterval) {
  EngineReport report = sound_report();
  report.speedup = LatencyRatio{.ratio = 0.8, .low = 0.7, .high = 0.9, .interval = false};
  judge(report, {});
  EXPECT_THAT(report.failures, ElementsAre(HasSubstr("(rounds: 0.70 to 0.90)")));
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

TEST(Verdict, OperatorsBesideTheirSimulationFail) {
  VerifyReport report;
  report.engines = {sound_report()};
  const std::vector<OperatorDifference> operators = {
      {.engine = "onnxruntime", .name = "conv1", .op = "Conv", .worst_step = 1},
      {.engine = "onnxruntime", .name = "add1", .op = "Add", .worst_step = 7},
      {.engine = "onnxruntime", .name = "pool", .op = "MaxPool", .failure = "no kernel"},
      {.engine = "openvino", .name = "fc", .op = "Gemm", .worst_step = 9}};
  judge_operators(report, operators);
  EXPECT_THAT(report.engines[0].failures,
              ElementsAre("operators beside their simulation: got 7 steps, expected at most 1: "
                          "'add1' (Add)"));
  EXPECT_THAT(report.engines[0].notes,
              ElementsAre("operators that could not be compared alone: 'pool' (MaxPool) (no "
                          "kernel)"));
}

TEST(Verdict, WhatWasNotMeasuredIsNotJudged) {
  EngineReport report;
  judge(report, {});
  EXPECT_TRUE(report.passed());
}

}  // namespace
}  // namespace espalier::deploy
