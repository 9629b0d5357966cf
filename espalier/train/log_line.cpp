#include "espalier/train/log_line.h"

#include <cmath>

#include <fmt/format.h>

namespace espalier::train {
namespace {

/// "loss: 0.12345, top1: 0.91000": the loss first.
std::string values_text(const MetricValues& values) {
  std::string text;
  const auto append = [&text](const std::string& name, double value) {
    text += fmt::format("{}{}: {:.5f}", text.empty() ? "" : ", ", name, value);
  };
  const auto loss = values.find("loss");
  if (loss != values.end()) append("loss", loss->second);
  for (const auto& [name, value] : values) {
    if (name != "loss") append(name, value);
  }
  return text;
}

}  // namespace

std::string duration_text(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::llround(std::max(seconds, 0.0)));
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string train_line(const StepReport& report) {
  return fmt::format(
      "[Train][Epoch {}/{}][Iter: {}/{}]lr: {:.8f}, {}, batch_cost: {:.5f} s, "
      "reader_cost: {:.5f} s, ips: {:.2f} samples/s, eta: {}",
      report.epoch, report.epochs, report.iteration, report.iterations, report.lr,
      values_text(report.means), report.batch_cost, report.reader_cost, report.samples_per_second,
      duration_text(report.eta));
}

std::string epoch_line(const EpochReport& report) {
  return fmt::format("[Train][Epoch {}/{}][Avg]{}", report.record.epoch, report.epochs,
                     values_text(report.record.training));
}

std::string evaluation_line(const EpochReport& report) {
  return fmt::format("[Eval][Epoch {}][Avg]{}, [best {}: {:.5f} of epoch {}]", report.record.epoch,
                     values_text(report.record.evaluation), report.best_metric, report.best_value,
                     report.best_epoch);
}

}  // namespace espalier::train
