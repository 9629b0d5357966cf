#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>

namespace espalier::base {

/// Counter-based random numbers (Philox4x32-10, Salmon et al., "Parallel random numbers: as easy as
/// 1, 2, 3", SC 2011). A generator is a pure function of (seed, stream, position): giving every
/// image its own stream makes results independent of the number of worker threads.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0);

  [[nodiscard]] std::uint32_t next_u32();
  [[nodiscard]] std::uint64_t next_u64();
  /// Uniform in [0, 1) with 53 random bits.
  [[nodiscard]] double uniform();
  /// Uniform in [low, high).
  [[nodiscard]] double uniform(double low, double high);
  /// Uniform integer in [0, bound), unbiased; bound >= 1.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound);
  /// Standard normal (Box-Muller).
  [[nodiscard]] double normal();

  /// Position in the stream, for checkpoints: number of 32-bit words drawn.
  [[nodiscard]] std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position);

  /// Fisher-Yates shuffle.
  template <typename T>
  void shuffle(std::span<T> items) {
    for (std::size_t count = items.size(); count > 1; --count) {
      std::swap(items[count - 1], items[below(count)]);
    }
  }

 private:
  void fill_block(std::uint64_t block);

  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

/// Mixes parts (seed, epoch, index, ...) into one stream number; order matters.
[[nodiscard]] std::uint64_t mix(std::uint64_t first, std::uint64_t second);

}  // namespace espalier::base
