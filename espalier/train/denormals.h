#pragma once

namespace espalier::train {

/// While it lives, every thread of libtorch's pool flushes denormal numbers to zero: they are worth
/// nothing in training and slow some processors down a hundredfold.
class FlushDenormals {
 public:
  FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;
  ~FlushDenormals();
};

}  // namespace espalier::train
