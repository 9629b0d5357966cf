#include "espalier/train/step_timer.h"

namespace espalier::train {

void StepTimer::add(double whole, double reader, std::int64_t samples) {
  if (seen_ == kWarmUpSteps) {
    steps_ = samples_ = 0;
    whole_ = reader_ = 0;
  }
  ++seen_;
  ++steps_;
  samples_ += samples;
  whole_ += whole;
  reader_ += reader;
}

double StepTimer::samples_per_second() const {
  return whole_ > 0 ? static_cast<double>(samples_) / whole_ : 0;
}

}  // namespace espalier::train
