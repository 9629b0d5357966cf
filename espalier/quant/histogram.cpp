#include "espalier/quant/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "espalier/base/check.h"
#include "espalier/quant/simd/bin_values.h"

namespace espalier::quant {
namespace {

static_assert(Histogram::kBins == kBinsPerSign);

/// Counters of 32 bits are emptied into the 64-bit ones before they can overflow.
constexpr std::size_t kFlushAfter = std::size_t{1} << 31;

/// Smallest exponent e with magnitude < kBins * 2^e.
int exponent_for(float magnitude) {
  if (magnitude == 0) return Histogram::kSmallestExponent;  // zeros need no width
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude = m * 2^exponent with m in [0.5, 1)
  constexpr int kLogBins = 12;
  static_assert(Histogram::kBins == std::size_t{1} << kLogBins);
  return std::max(exponent - kLogBins, Histogram::kSmallestExponent);
}

/// Adds pairs of bins `times` times: bin i moves to bin i >> times.
void fold(std::vector<std::uint64_t>& bins, int times) {
  if (bins.empty() || times == 0) return;
  for (std::size_t bin = 1; bin < bins.size(); ++bin) {
    const std::size_t target = times >= 64 ? 0 : bin >> times;
    if (target == bin) continue;
    bins[target] += bins[bin];
    bins[bin] = 0;
  }
}

void add_bins(std::vector<std::uint64_t>& bins, const std::vector<std::uint64_t>& more) {
  if (more.empty()) return;
  if (bins.empty()) {
    bins = more;
    return;
  }
  for (std::size_t bin = 0; bin < bins.size(); ++bin) bins[bin] += more[bin];
}

/// Moves the counters of one sign into the bins, as far as they can be in use.
void flush_sign(std::vector<std::uint64_t>& bins, BinCounters& counters, std::size_t first) {
  const std::span<std::uint32_t> half(counters.data() + first, kBinsPerSign);
  std::uint32_t any = 0;
  for (const std::uint32_t count : half) any |= count;
  if (any == 0) return;
  bins.resize(kBinsPerSign);
  for (std::size_t bin = 0; bin < kBinsPerSign; ++bin) bins[bin] += half[bin];
  std::ranges::fill(half, 0U);
}

std::uint64_t total(const std::vector<std::uint64_t>& bins) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : bins) sum += count;
  return sum;
}

std::vector<std::uint64_t> without_tail(const std::vector<std::uint64_t>& bins) {
  std::vector<std::uint64_t> kept = bins;
  while (!kept.empty() && kept.back() == 0) kept.pop_back();
  return kept;
}

}  // namespace

/// Counters of one call of add.
class Histogram::Filler {
 public:
  explicit Filler(Histogram& histogram) : histogram_(histogram) {}

  void add(std::span<const float> chunk, Extremes& extremes) {
    const ValueScan scan = scan_values(chunk);
    histogram_.nans_ += scan.nans;
    histogram_.infinities_ += scan.infinities;
    if (scan.min > scan.max) return;
    extremes.low = std::min(extremes.low, scan.min);
    extremes.high = std::max(extremes.high, scan.max);
    const int exponent = exponent_for(std::max(-scan.min, scan.max));
    if (exponent > histogram_.exponent_ || pending_ >= kFlushAfter) flush();
    if (exponent > histogram_.exponent_) histogram_.widen(exponent);
    histogram_.take_range(scan.min, scan.max);
    histogram_.zeros_ += scan.zeros;
    histogram_.finite_ += chunk.size() - scan.nans - scan.infinities;
    pending_ += chunk.size();
    const auto inverse_width = static_cast<float>(std::ldexp(1.0, -histogram_.exponent_));
    if (scan.nans + scan.infinities == 0) {
      bin_values(chunk, inverse_width, *counters_);
      return;
    }
    std::vector<float> finite;
    std::ranges::copy_if(chunk, std::back_inserter(finite),
                         [](float value) { return std::isfinite(value); });
    bin_values(finite, inverse_width, *counters_);
  }

  void flush() {
    if (pending_ == 0) return;
    flush_sign(histogram_.positive_, *counters_, 0);
    flush_sign(histogram_.negative_, *counters_, kBinsPerSign);
    pending_ = 0;
  }

 private:
  Histogram& histogram_;
  std::unique_ptr<BinCounters> counters_ = std::make_unique<BinCounters>();  // zeroed
  std::size_t pending_ = 0;
};

void Histogram::add(std::span<const float> values, std::span<Extremes> slices) {
  if (values.empty()) return;
  base::invariant(slices.empty() || values.size() % slices.size() == 0,
                  "{} values in {} equal slices", values.size(), slices.size());
  const std::size_t length = slices.empty() ? values.size() : values.size() / slices.size();
  Filler filler(*this);
  for (std::size_t first = 0; first < values.size(); first += length) {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    Extremes extremes{.low = kInfinity, .high = -kInfinity};
    for (std::size_t start = 0; start < length; start += kBinChunk) {
      const std::size_t count = std::min(kBinChunk, length - start);
      filler.add(values.subspan(first + start, count), extremes);
    }
    if (!slices.empty()) slices[first / length] = extremes;
  }
  filler.flush();
}

void Histogram::take_range(float low, float high) {
  min_ = finite_ == 0 ? low : std::min(min_, low);
  max_ = finite_ == 0 ? high : std::max(max_, high);
}

void Histogram::widen(int exponent) {
  fold(positive_, exponent - exponent_);
  fold(negative_, exponent - exponent_);
  exponent_ = exponent;
}

void Histogram::merge(const Histogram& other) {
  nans_ += other.nans_;
  infinities_ += other.infinities_;
  if (other.finite_ == 0) return;
  take_range(other.min_, other.max_);
  finite_ += other.finite_;
  zeros_ += other.zeros_;
  if (other.exponent_ > exponent_) widen(other.exponent_);
  std::vector<std::uint64_t> positive = other.positive_;
  std::vector<std::uint64_t> negative = other.negative_;
  fold(positive, exponent_ - other.exponent_);
  fold(negative, exponent_ - other.exponent_);
  add_bins(positive_, positive);
  add_bins(negative_, negative);
}

double Histogram::width() const {
  return std::ldexp(1.0, exponent_);
}

bool Histogram::operator==(const Histogram& other) const {
  return exponent_ == other.exponent_ && min() == other.min() && max() == other.max() &&
         finite_ == other.finite_ && zeros_ == other.zeros_ && nans_ == other.nans_ &&
         infinities_ == other.infinities_ && positive_ == other.positive_ &&
         negative_ == other.negative_;
}

Histogram::State Histogram::state() const {
  return {.exponent = exponent_,
          .min = min(),
          .max = max(),
          .zeros = zeros_,
          .nans = nans_,
          .infinities = infinities_,
          .positive = without_tail(positive_),
          .negative = without_tail(negative_)};
}

Histogram Histogram::from_state(const State& state) {
  base::check(state.positive.size() <= kBins && state.negative.size() <= kBins,
              "a histogram has {} and {} bins: expected at most {} a sign", state.positive.size(),
              state.negative.size(), kBins);
  base::check(std::isfinite(state.min) && std::isfinite(state.max) && state.min <= state.max,
              "a histogram says that its values lie in [{}, {}]: expected a finite range",
              state.min, state.max);
  const float magnitude = std::max(-state.min, state.max);
  const int exponent = magnitude > 0 ? exponent_for(magnitude) : kSmallestExponent;
  base::check(state.exponent == exponent,
              "a histogram of values in [{}, {}] says exponent {}: expected {}", state.min,
              state.max, state.exponent, exponent);
  Histogram histogram;
  histogram.exponent_ = state.exponent;
  histogram.min_ = state.min;
  histogram.max_ = state.max;
  histogram.zeros_ = state.zeros;
  histogram.nans_ = state.nans;
  histogram.infinities_ = state.infinities;
  histogram.positive_ = state.positive;
  histogram.negative_ = state.negative;
  if (total(state.positive) > 0) histogram.positive_.resize(kBins);
  if (total(state.negative) > 0) histogram.negative_.resize(kBins);
  base::check(
      (state.max > 0) == !state.positive.empty() && (state.min < 0) == !state.negative.empty(),
      "a histogram of values in [{}, {}] has {} positive and {} negative bins", state.min,
      state.max, state.positive.size(), state.negative.size());
  histogram.finite_ = state.zeros + total(state.positive) + total(state.negative);
  return histogram;
}

}  // namespace espalier::quant
