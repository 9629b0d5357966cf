#include "espalier/deploy/verdict.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace espalier::deploy {
namespace {

/// The 95 % interval of a share of `count` images (Wilson, 1927).
struct ShareInterval {
  ShareInterval(double share, double count) {
    constexpr double kNormal = 1.959964;
    const double square = kNormal * kNormal / count;
    const double middle = (share + square / 2) / (1 + square);
    const double half =
        std::sqrt(share * (1 - share) * square + square * square / 4) / (1 + square);
    low = middle - half;
    high = middle + half;
  }
  double low;
  double high;
};

/// A share of predictions, and how many of them are not in it.
struct PredictionShare {
  std::optional<double> share;
  std::int64_t different = 0;

  /// True where every image is one prediction; pixels of one image say little about other images.
  [[nodiscard]] bool is_by_image(std::int64_t images) const {
    const double predictions = static_cast<double>(different) / (1 - *share);
    return std::abs(predictions - static_cast<double>(images)) < 0.5;
  }
};

void require_share(EngineReport& report, std::string_view what, const PredictionShare& found,
                   double minimum) {
  if (!found.share || *found.share >= minimum) return;
  std::string text = fmt::format("{}: got {:.2f} %, expected at least {:.2f} %", what,
                                 100 * *found.share, 100 * minimum);
  if (report.images > 1 && found.is_by_image(report.images)) {
    const ShareInterval interval(*found.share, static_cast<double>(report.images));
    if (interval.high >= minimum) {
      text += fmt::format(" (95 % interval of {} images: {:.2f} to {:.2f} %; more would tell)",
                          report.images, 100 * interval.low, 100 * interval.high);
    }
  }
  report.failures.push_back(std::move(text));
}

void require_decibel(EngineReport& report, std::string_view what,
                     const std::optional<double>& decibel, double minimum) {
  if (!decibel || *decibel >= minimum) return;
  report.failures.push_back(
      fmt::format("{}: got a signal to noise of {:.1f} dB, expected at least "
                  "{:.1f} dB",
                  what, *decibel, minimum));
}

/// True when a share of the images (0 to 1) is at most one of several: no evidence either way.
bool is_one_image(const EngineReport& report, double share) {
  return report.images > 1 && share * static_cast<double>(report.images) < 1.5;
}

/// Outputs against those of the float model and of the simulation.
void judge_outputs(EngineReport& report, const VerifyBounds& bounds) {
  const bool compared = report.agreement || report.value_sqnr_db;
  if (report.images > 0 && report.not_finite == 0 && report.failures.empty() && !compared) {
    report.failures.emplace_back("no output could be compared with the float model's");
  }
  const bool only_one = report.images > 1 && report.different == 1;
  if (!only_one) {
    require_share(report, "predictions equal to the float model's",
                  {report.agreement, report.different}, bounds.min_agreement);
  } else if (report.agreement && *report.agreement < bounds.min_agreement) {
    report.notes.push_back(
        fmt::format("one of {} predictions differs from the float model's: more images would tell",
                    report.images));
  }
  require_decibel(report, "values against the float model's", report.value_sqnr_db,
                  bounds.min_value_sqnr_db);
  if (report.simulation_different > 1) {
    require_share(report, "predictions equal to the simulation's",
                  {report.simulation_agreement, report.simulation_different},
                  bounds.min_simulation_agreement);
  }
  require_decibel(report, "values against the simulation's", report.simulation_value_sqnr_db,
                  bounds.min_value_sqnr_db);
}

void judge_integers(EngineReport& report, const VerifyBounds& bounds) {
  const double judged = 1 - report.left_out_mac_share;
  if (report.mac_nodes.empty() || judged <= 0) return;
  const double share = report.integer_mac_share / judged;
  if (share >= bounds.min_integer_mac_share) return;
  std::string text =
      fmt::format("MACs done in integers{}: got {:.2f} %, expected at least {:.2f} %",
                  report.left_out_mac_share > 0 ? ", of those that options leave to them" : "",
                  100 * share, 100 * bounds.min_integer_mac_share);
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
    if (name == "top1" && is_one_image(report, drop / 100)) {
      report.notes.push_back(fmt::format(
          "top1 drops by {:.2f} points, which is one of {} images: more of them would tell", drop,
          report.images));
      continue;
    }
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
  const std::string interval =
      speedup.interval ? fmt::format("95 %: {:.2f} to {:.2f}", speedup.low, speedup.high)
                       : fmt::format("rounds: {:.2f} to {:.2f}", speedup.low, speedup.high);
  const std::string facts = fmt::format("{:.3f} ms against {:.3f} ms, {:.2f} times as fast ({})",
                                        report.latency->median_ms, report.float_latency->median_ms,
                                        speedup.ratio, interval);
  if (speedup.ratio > 1) {
    if (speedup.low <= 1) report.notes.push_back("barely faster than float: " + facts);
    return;
  }
  std::string text = "not faster than float: " + facts + costs_text(report.slower_layers);
  (bounds.allow_slower ? report.notes : report.failures).push_back(std::move(text));
}

/// "'a' (Conv), 'b' (Add) and 3 more".
std::string names_text(const std::vector<const OperatorDifference*>& operators) {
  std::string text;
  constexpr std::size_t kNamed = 3;
  for (std::size_t index = 0; index < std::min(kNamed, operators.size()); ++index) {
    text += fmt::format("{}'{}' ({})", index == 0 ? "" : ", ", operators[index]->name,
                        operators[index]->op);
  }
  if (operators.size() > kNamed) text += fmt::format(" and {} more", operators.size() - kNamed);
  return text;
}

}  // namespace

void judge_operators(VerifyReport& report, std::span<const OperatorDifference> operators) {
  for (EngineReport& engine : report.engines) {
    std::vector<const OperatorDifference*> apart;
    std::vector<const OperatorDifference*> unknown;
    std::int64_t worst = 0;
    for (const OperatorDifference& difference : operators) {
      if (difference.engine != engine.name || difference.passed()) continue;
      (difference.failure.empty() ? apart : unknown).push_back(&difference);
      worst = std::max(worst, difference.worst_step);
    }
    if (!apart.empty()) {
      engine.failures.push_back(
          fmt::format("operators beside their simulation: got {} steps, expected at most 1: {}",
                      worst, names_text(apart)));
    }
    if (!unknown.empty()) {
      engine.notes.push_back(fmt::format("operators that could not be compared alone: {} ({})",
                                         names_text(unknown), unknown.front()->failure));
    }
  }
}

void judge(EngineReport& report, const VerifyBounds& bounds) {
  if (report.not_finite > 0) {
    report.failures.push_back(
        fmt::format("{} output values are NaN or infinite", report.not_finite));
  }
  judge_integers(report, bounds);
  judge_outputs(report, bounds);
  judge_metrics(report, bounds);
  judge_latency(report, bounds);
}

}  // namespace espalier::deploy
