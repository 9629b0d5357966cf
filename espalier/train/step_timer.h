#pragma once

#include <chrono>
#include <cstdint>

namespace espalier::train {

/// Mean times of the steps of an epoch. The first few, slowed by warming up, do not count once
/// there are others.
class StepTimer {
 public:
  using Clock = std::chrono::steady_clock;

  void start_epoch() { *this = {}; }
  /// One step of `samples` samples; the part `reader` of `whole` was spent waiting for its batch.
  void add(double whole, double reader, std::int64_t samples);

  [[nodiscard]] double batch_cost() const { return steps_ == 0 ? 0 : whole_ / steps(); }
  [[nodiscard]] double reader_cost() const { return steps_ == 0 ? 0 : reader_ / steps(); }
  [[nodiscard]] double samples_per_second() const;

 private:
  static constexpr std::int64_t kWarmUpSteps = 5;

  [[nodiscard]] double steps() const { return static_cast<double>(steps_); }

  std::int64_t seen_ = 0;
  std::int64_t steps_ = 0;
  std::int64_t samples_ = 0;
  double whole_ = 0;
  double reader_ = 0;
};

}  // namespace espalier::train
