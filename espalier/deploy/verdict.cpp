#include "espalier/deploy/verdict.h"

#include <algorithm>

#include <fmt/format.h>

namespace espalier::deploy {
namespace {

void require_share(EngineReport& report, std::string_view what, const std::optional<double>& share,
                   double minimum) {
  if (!share || *share >= minimum) return;
  report.failures.push_back(fmt::format("{}: got {:.2f} %, expected at least {:.2f} %", what,
                                        100 * *share, 100 * minimum));
}

void judge_integers(EngineReport& report, const VerifyBounds& bounds) {
  if (report.mac_nodes.empty() || report.integer_mac_share >= bounds.min_integer_mac_share) return;
  std::string text =
      fmt::format("MACs done in integers: got {:.2f} %, expected at least {:.2f} %",
                  100 * report.integer_mac_share, 100 * bounds.min_integer_mac_share);
  constexpr std::size_t kNamed = 5;
  for (std::size_t index = 0; index < std::min(kNamed, report.float_ops.size()); ++index) {
    const MacNode& node = report.float_ops[index];
    text += fmt::format("{}'{}' ({}, {} MACs)", index == 0 ? "; left in float: " : ", ", node.name,
                        node.op, node.macs);
  }
  if (report.float_ops.size() > kNamed) {
    text += fmt::format(" and {} more", report.float_ops.size() - kNamed);
  }
  report.failures.push_back(std::move(text));
}

void judge_metrics(EngineReport& report, const VerifyBounds& bounds) {
  for (const std::string_view name : {"top1", "pixel_accuracy"}) {
    const auto before = report.float_metrics.find(std::string(name));
    const auto after = report.metrics.find(std::string(name));
    if (before == report.float_metrics.end() || after == report.metrics.end()) continue;
    const double drop = before->second - after->second;
    if (drop <= bounds.max_drop) continue;
    report.failures.push_back(
        fmt::format("{} drops by {:.2f} points ({:.2f} to {:.2f}), expected at most {:.2f}", name,
                    drop, before->second, after->second, bounds.max_drop));
  }
}

std::string costs_text(const std::vector<LayerCost>& costs) {
  std::string text;
  constexpr std::size_t kNamed = 3;
  for (std::size_t index = 0; index < std::min(kNamed, costs.size()); ++index) {
    const LayerCost& cost = costs[index];
    const std::string before =
        cost.float_ms ? fmt::format("{:.3f} -> ", *cost.float_ms) : std::string("new: ");
    text += fmt::format("{}'{}' ({}) {}{:.3f} ms", index == 0 ? "; layers that cost more: " : ", ",
                        cost.name, cost.type, before, cost.quantized_ms);
  }
  return text;
}

void judge_latency(EngineReport& report, const VerifyBounds& bounds) {
  if (!report.speedup || !report.latency || !report.float_latency) return;
  const LatencyRatio& speedup = *report.speedup;
  const std::string facts =
      fmt::format("{:.3f} ms against {:.3f} ms, {:.2f} times as fast (95 %: {:.2f} to {:.2f})",
                  report.latency->median_ms, report.float_latency->median_ms, speedup.ratio,
                  speedup.low, speedup.high);
  if (speedup.ratio > 1) {
    if (speedup.low <= 1) report.notes.push_back("barely faster than float: " + facts);
    return;
  }
  std::string text = "not faster than float: " + facts + costs_text(report.slower_layers);
  (bounds.allow_slower ? report.notes : report.failures).push_back(std::move(text));
}

}  // namespace

void judge(EngineReport& report, const VerifyBounds& bounds) {
  if (report.not_finite > 0) {
    report.failures.push_back(
        fmt::format("{} output values are NaN or infinite", report.not_finite));
  }
  judge_integers(report, bounds);
  require_share(report, "predictions equal to the float model's", report.agreement,
                bounds.min_agreement);
  require_share(report, "predictions equal to the simulation's", report.simulation_agreement,
                bounds.min_simulation_agreement);
  judge_metrics(report, bounds);
  judge_latency(report, bounds);
}

}  // namespace espalier::deploy
