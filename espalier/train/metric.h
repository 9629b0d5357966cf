#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "espalier/data/sample.h"
#include "espalier/tensor/tensor.h"
#include "espalier/train/checkpoint.h"

namespace espalier::train {

/// Share of samples whose label is among the k largest outputs. Of equal outputs the lower class
/// comes first.
struct TopK {
  int k = 1;
  [[nodiscard]] std::string name() const { return "top" + std::to_string(k); }
};

/// Number of samples with a label (>= 0) whose label is among the k largest of `logits` [N,
/// classes].
[[nodiscard]] std::int64_t count_top_k(const Tensor& logits, const Tensor& labels, int k);

/// Number of samples with a label.
[[nodiscard]] std::int64_t count_labelled(const Tensor& labels);

/// Weighted means by name.
class Meters {
 public:
  void add(const std::string& name, double value, double weight);
  [[nodiscard]] MetricValues means() const;
  [[nodiscard]] const std::map<std::string, MeterState>& state() const { return state_; }
  void restore(std::map<std::string, MeterState> state) { state_ = std::move(state); }
  void clear() { state_.clear(); }

 private:
  std::map<std::string, MeterState> state_;
};

}  // namespace espalier::train
