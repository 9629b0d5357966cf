#pragma once

#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "espalier/quant/calibrate.h"
#include "espalier/tensor/tensor.h"

namespace espalier::quant {

/// Cuts what a BatchSource gives into micro-batches of one size (the last may be smaller), whatever
/// the size of the source's batches. Thread-safe: several workers take from it.
class MicroBatches {
 public:
  struct Item {
    std::size_t index = 0;  ///< position in the sequence
    std::vector<Tensor> inputs;
    std::size_t samples = 0;
  };

  /// `next` must outlive this object.
  MicroBatches(const BatchSource& next, std::size_t samples, std::size_t size);

  /// Throws UserError when the inputs of a batch have different numbers of samples.
  [[nodiscard]] std::optional<Item> take();

 private:
  void fetch();

  const BatchSource& next_;
  std::size_t left_;  ///< samples still wanted
  std::size_t size_;
  std::size_t index_ = 0;
  bool ended_ = false;
  std::vector<std::vector<Tensor>> pending_;  ///< parts not yet given away, in order
  std::size_t pending_samples_ = 0;
  std::mutex mutex_;
};

}  // namespace espalier::quant
