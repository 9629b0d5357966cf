#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace espalier::train {

/// Learning rates as functions of the step (from 0). Epochs are fractions steps / steps_per_epoch.
struct ConstantSchedule {
  double lr = 0.1;
};

/// end + (lr - end) * (1 + cos(pi * t)) / 2 over the run (Loshchilov and Hutter, ICLR 2017).
struct CosineSchedule {
  double lr = 0.1;
  double end_lr = 0.0;
};

/// values[i] until epoch boundaries[i]; one value more than boundaries.
struct PiecewiseSchedule {
  std::vector<double> boundaries;  ///< in epochs, increasing
  std::vector<double> values;
};

/// end + (lr - end) * (1 - t)^power over the run.
struct PolynomialSchedule {
  double lr = 0.1;
  double end_lr = 0.0;
  double power = 1.0;
};

/// lr * gamma^floor(epoch / every_epochs).
struct StepSchedule {
  double lr = 0.1;
  double every_epochs = 30;
  double gamma = 0.1;
};

using ScheduleShape = std::variant<ConstantSchedule, CosineSchedule, PiecewiseSchedule,
                                   PolynomialSchedule, StepSchedule>;

/// A linear ramp from `start_lr` to the shape's first rate; the shape covers the steps after it.
struct WarmUp {
  double epochs = 0;  ///< length; `steps` is used instead when it is above 0
  std::int64_t steps = 0;
  double start_lr = 0;
};

struct ScheduleOptions {
  ScheduleShape shape = CosineSchedule{};
  WarmUp warm_up = {};
};

/// Learning rates of one run; immutable.
class Schedule {
 public:
  /// Throws UserError for rates that are negative or not finite, boundaries that do not increase,
  /// or a warm-up longer than the run.
  Schedule(ScheduleOptions options, std::int64_t steps_per_epoch, std::int64_t epochs);

  /// The rate of a step, from 0; beyond the run the last step's.
  [[nodiscard]] double at(std::int64_t step) const;
  /// One line that names shape and numbers.
  [[nodiscard]] std::string describe() const;

 private:
  ScheduleOptions options_;
  double steps_per_epoch_;
  double total_steps_;
  double warm_up_steps_;
};

}  // namespace espalier::train
