#include "espalier/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"

namespace espalier::train {
namespace {

/// Where a step lies in the part of the run that the shape covers.
struct Place {
  double share;  ///< 0 at the first step, 1 after the last
  double epochs;
};

double rate(const ConstantSchedule& shape, const Place&) {
  return shape.lr;
}

double rate(const CosineSchedule& shape, const Place& place) {
  return shape.end_lr +
         (shape.lr - shape.end_lr) * (1 + std::cos(std::numbers::pi * place.share)) / 2;
}

double rate(const PiecewiseSchedule& shape, const Place& place) {
  const auto passed = std::ranges::upper_bound(shape.boundaries, place.epochs);
  return shape.values[static_cast<std::size_t>(passed - shape.boundaries.begin())];
}

double rate(const PolynomialSchedule& shape, const Place& place) {
  return shape.end_lr + (shape.lr - shape.end_lr) * std::pow(1 - place.share, shape.power);
}

double rate(const StepSchedule& shape, const Place& place) {
  return shape.lr * std::pow(shape.gamma, std::floor(place.epochs / shape.every_epochs));
}

void check_number(std::string_view name, double value, double low) {
  base::check(std::isfinite(value) && value >= low,
              "learning rate schedule, {}: got {}, expected {} or more", name, value, low);
}

void check_shape(const ConstantSchedule& shape) {
  check_number("lr", shape.lr, 0);
}

void check_shape(const CosineSchedule& shape) {
  check_number("lr", shape.lr, 0);
  check_number("end_lr", shape.end_lr, 0);
}

void check_shape(const PiecewiseSchedule& shape) {
  base::check(shape.values.size() == shape.boundaries.size() + 1,
              "learning rate schedule: got {} boundaries and {} values, expected one value more "
              "than boundaries",
              shape.boundaries.size(), shape.values.size());
  for (const double value : shape.values) check_number("values", value, 0);
  double before = 0;
  for (const double boundary : shape.boundaries) {
    base::check(std::isfinite(boundary) && boundary > before,
                "learning rate schedule, boundaries: got {} after {}, expected increasing numbers "
                "above 0",
                boundary, before);
    before = boundary;
  }
}

void check_shape(const PolynomialSchedule& shape) {
  check_number("lr", shape.lr, 0);
  check_number("end_lr", shape.end_lr, 0);
  check_number("power", shape.power, 0);
}

void check_shape(const StepSchedule& shape) {
  check_number("lr", shape.lr, 0);
  check_number("gamma", shape.gamma, 0);
  base::check(std::isfinite(shape.every_epochs) && shape.every_epochs > 0,
              "learning rate schedule, every_epochs: got {}, expected above 0", shape.every_epochs);
}

std::string describe_shape(const ConstantSchedule& shape) {
  return fmt::format("constant lr {}", shape.lr);
}

std::string describe_shape(const CosineSchedule& shape) {
  return fmt::format("cosine lr {} to {}", shape.lr, shape.end_lr);
}

std::string describe_shape(const PiecewiseSchedule& shape) {
  return fmt::format("piecewise lr {} at epochs {}", fmt::join(shape.values, ", "),
                     fmt::join(shape.boundaries, ", "));
}

std::string describe_shape(const PolynomialSchedule& shape) {
  return fmt::format("polynomial lr {} to {}, power {}", shape.lr, shape.end_lr, shape.power);
}

std::string describe_shape(const StepSchedule& shape) {
  return fmt::format("step lr {}, times {} every {} epochs", shape.lr, shape.gamma,
                     shape.every_epochs);
}

}  // namespace

Schedule::Schedule(ScheduleOptions options, std::int64_t steps_per_epoch, std::int64_t epochs)
    : options_(std::move(options)),
      steps_per_epoch_(static_cast<double>(steps_per_epoch)),
      total_steps_(static_cast<double>(steps_per_epoch) * static_cast<double>(epochs)),
      warm_up_steps_(options_.warm_up.steps > 0
                         ? static_cast<double>(options_.warm_up.steps)
                         : std::round(options_.warm_up.epochs * steps_per_epoch_)) {
  base::check(steps_per_epoch > 0 && epochs > 0,
              "learning rate schedule: got {} epochs of {} steps, expected at least 1 of each",
              epochs, steps_per_epoch);
  std::visit([](const auto& shape) { check_shape(shape); }, options_.shape);
  check_number("warm-up epochs", options_.warm_up.epochs, 0);
  check_number("warm-up steps", static_cast<double>(options_.warm_up.steps), 0);
  check_number("warm-up start_lr", options_.warm_up.start_lr, 0);
  base::check(warm_up_steps_ < total_steps_ || warm_up_steps_ == 0,
              "learning rate schedule: got a warm-up of {} steps, expected less than the {} steps "
              "of the run",
              warm_up_steps_, total_steps_);
}

double Schedule::at(std::int64_t step) const {
  const double place = std::clamp(static_cast<double>(step), 0.0, total_steps_ - 1);
  const auto rate_after = [&](double steps) {
    const Place where{.share = steps / (total_steps_ - warm_up_steps_),
                      .epochs = steps / steps_per_epoch_};
    return std::visit([&](const auto& shape) { return rate(shape, where); }, options_.shape);
  };
  if (place >= warm_up_steps_) return rate_after(place - warm_up_steps_);
  const double start = options_.warm_up.start_lr;
  return start + (rate_after(0) - start) * place / warm_up_steps_;
}

std::string Schedule::describe() const {
  std::string text =
      std::visit([](const auto& shape) { return describe_shape(shape); }, options_.shape);
  if (warm_up_steps_ > 0) {
    text += fmt::format(", warm-up of {} steps from {}", warm_up_steps_, options_.warm_up.start_lr);
  }
  return text;
}

}  // namespace espalier::train
