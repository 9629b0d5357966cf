#pragma once

#include <cstdint>
#include <optional>

#include "espalier/data/sample.h"

namespace espalier::train {

/// Where a source stands.
struct SourcePosition {
  std::int64_t epoch = 0;   ///< from 0
  std::int64_t offset = 0;  ///< in the source's own unit; 0: the start of the epoch
  bool operator==(const SourcePosition&) const = default;
};

/// Where batches come from. What it gives is a function of its own seed and the position only, so
/// that a run continues from any position with the same data.
class BatchSource {
 public:
  virtual ~BatchSource() = default;

  /// Batches of an epoch; at least 1. An epoch may end earlier when bad samples are left out.
  [[nodiscard]] virtual std::int64_t batches_per_epoch() const = 0;
  /// Makes next() give what follows `position`.
  virtual void start(SourcePosition position) = 0;
  /// The next batch of the epoch; nothing at its end.
  [[nodiscard]] virtual std::optional<data::Batch> next() = 0;
  /// Where to start to get the batch after the last one given.
  [[nodiscard]] virtual SourcePosition position() const = 0;
};

}  // namespace espalier::train
