#pragma once

#include <cstdint>

namespace espalier::tensor {

/// How much freed memory the allocator keeps for the next tensors.
struct CachingOptions {
  /// Most bytes kept without a user. Whatever it says, no more is kept than twice the largest
  /// number of bytes that were in use at once.
  std::uint64_t most_cached = std::uint64_t{64} << 30;
  /// Most bytes in use at once; 0: the machine's memory. A tensor beyond it is refused with
  /// c10::OutOfMemoryError "not enough memory: ..." before the system gives out memory that it does
  /// not have and ends the process later.
  std::uint64_t most_in_use = 0;
};

/// Makes libtorch take the memory of CPU tensors from free lists of size classes, a quarter apart,
/// instead of mapping and unmapping large tensors at every operator; blocks of 2 MiB and more lie
/// on huge pages. Call once, first thing in main; a second call changes only the options.
/// Thread-safe.
void install_caching_allocator(const CachingOptions& options = {});

/// Counters of the caching allocator; zeros before it is installed.
struct CachingStatistics {
  std::uint64_t bytes_in_use = 0;     ///< of living tensors, rounded up to size classes
  std::uint64_t bytes_cached = 0;     ///< kept for the next tensors
  std::uint64_t peak_in_use = 0;      ///< largest bytes_in_use since the start or the last reset
  std::uint64_t system_requests = 0;  ///< blocks that had to come from the operating system
  std::uint64_t reuses = 0;           ///< blocks that came from a free list
};
[[nodiscard]] CachingStatistics caching_statistics();

/// Restarts peak_in_use from the present bytes_in_use.
void reset_caching_peak();

/// Gives all kept memory back to the operating system. Returns the bytes.
std::uint64_t release_cached();

}  // namespace espalier::tensor
