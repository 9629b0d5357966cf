#include "espalier/base/random.h"

#include <cmath>
#include <numbers>

namespace espalier::base {

Random::Random(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

void Random::fill_block(std::uint64_t block) {
  constexpr std::uint32_t kMultiplier0 = 0xD2511F53U;
  constexpr std::uint32_t kMultiplier1 = 0xCD9E8D57U;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9U;
  constexpr std::uint32_t kWeyl1 = 0xBB67AE85U;
  std::array<std::uint32_t, 4> counter{
      static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
      static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32)};
  std::uint32_t key0 = static_cast<std::uint32_t>(seed_);
  std::uint32_t key1 = static_cast<std::uint32_t>(seed_ >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key0,
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key1,
               static_cast<std::uint32_t>(product0)};
    key0 += kWeyl0;
    key1 += kWeyl1;
  }
  block_ = counter;
}

std::uint32_t Random::next_u32() {
  const std::uint64_t lane = position_ % 4;
  if (lane == 0) fill_block(position_ / 4);
  ++position_;
  return block_[lane];
}

std::uint64_t Random::next_u64() {
  const std::uint64_t low = next_u32();
  return low | (std::uint64_t{next_u32()} << 32);
}

double Random::uniform() {
  return static_cast<double>(next_u64() >> 11) * 0x1.0p-53;
}

double Random::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

std::uint64_t Random::below(std::uint64_t bound) {
  // Rejects the low remainder so that every result is equally likely.
  const std::uint64_t threshold = (0 - bound) % bound;
  std::uint64_t draw = next_u64();
  while (draw < threshold) draw = next_u64();
  return draw % bound;
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

void Random::seek(std::uint64_t position) {
  position_ = position;
  if (position_ % 4 != 0) fill_block(position_ / 4);
}

std::uint64_t mix(std::uint64_t first, std::uint64_t second) {
  // SplitMix64 finalizer (Steele, Lea, Flood, OOPSLA 2014).
  std::uint64_t value = first * 0x9E3779B97F4A7C15ULL + second + 0x9E3779B97F4A7C15ULL;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31);
}

}  // namespace espalier::base
