#include "espalier/exec/kernels/simd/batch_norm.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "espalier/exec/kernels/simd/lane_tree.h"

// Highway compiles this file once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "espalier/exec/kernels/simd/batch_norm.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::exec::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::CappedTag<float, 16>;
using Vector = hn::Vec<Floats>;
using Mask = hn::Mask<Floats>;
constexpr std::size_t kLanes = hn::MaxLanes(Floats{});

/// Some neighbouring channels: a whole vector, or the first `length` lanes of one.
struct Columns {
  std::size_t first;
  std::size_t length;

  HWY_INLINE Vector load(const float* from) const {
    if (length == kLanes) return hn::LoadU(Floats{}, from + first);
    HWY_ALIGN float buffer[kLanes] = {};
    std::copy_n(from + first, length, buffer);
    return hn::Load(Floats{}, buffer);
  }

  HWY_INLINE void store(Vector value, float* to) const {
    if (length == kLanes) {
      hn::StoreU(value, Floats{}, to + first);
      return;
    }
    HWY_ALIGN float buffer[kLanes];
    hn::Store(value, Floats{}, buffer);
    std::copy_n(buffer, length, to + first);
  }

  HWY_INLINE void add(Vector value, float* to) const { store(hn::Add(load(to), value), to); }

  /// Lanes beyond the end become `filler`.
  HWY_INLINE Vector only(Vector value, float filler) const {
    if (length == kLanes) return value;
    return hn::IfThenElse(hn::FirstN(Floats{}, length), value, hn::Set(Floats{}, filler));
  }
};

/// Calls body(row offset, columns) for all rows, vector by vector.
template <typename Body>
HWY_INLINE void for_rows(std::size_t rows, std::size_t channels, const Body& body) {
  const std::size_t whole = channels / kLanes * kLanes;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t offset = row * channels;
    for (std::size_t first = 0; first < whole; first += kLanes) {
      body(offset, Columns{first, kLanes});
    }
    if (whole < channels) body(offset, Columns{whole, channels - whole});
  }
}

/// Adds what `terms` gives for one vector to sums in memory.
template <std::size_t kKinds, typename Terms>
HWY_INLINE void add_terms(std::size_t channels, float* sums, std::size_t offset,
                          const Columns& columns, Terms& terms) {
  Vector addends[kKinds];
  terms(offset, columns, addends);
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    columns.add(addends[kind], sums + kind * channels);
  }
}

/// Writes sums over rows to sums[kind * channels + channel]. `terms(offset, columns, addends)`
/// gives the addends of one vector. kVectors: vectors in a row, kept in registers; 0: any number,
/// kept in memory. Both add in the same order.
template <std::size_t kVectors, std::size_t kKinds, typename Terms>
HWY_INLINE void sum_rows(std::size_t rows, std::size_t channels, float* sums, Terms& terms) {
  if constexpr (kVectors == 0) {
    std::fill_n(sums, kKinds * channels, 0.0F);
    const std::size_t whole = channels / kLanes * kLanes;
    for (std::size_t row = 0; row < rows; ++row) {
      const std::size_t offset = row * channels;
      for (std::size_t first = 0; first < whole; first += kLanes) {
        add_terms<kKinds>(channels, sums, offset, Columns{first, kLanes}, terms);
      }
      if (whole < channels) {
        add_terms<kKinds>(channels, sums, offset, Columns{whole, channels - whole}, terms);
      }
    }
  } else {
    Vector totals[kVectors][kKinds];
    for (auto& of_vector : totals) std::fill_n(of_vector, kKinds, hn::Zero(Floats{}));
    for (std::size_t row = 0; row < rows; ++row) {
      for (std::size_t place = 0; place < kVectors; ++place) {
        Vector addends[kKinds];
        terms(row * channels, Columns{place * kLanes, kLanes}, addends);
        for (std::size_t kind = 0; kind < kKinds; ++kind) {
          totals[place][kind] = hn::Add(totals[place][kind], addends[kind]);
        }
      }
    }
    for (std::size_t place = 0; place < kVectors; ++place) {
      const Columns columns{place * kLanes, kLanes};
      for (std::size_t kind = 0; kind < kKinds; ++kind) {
        columns.store(totals[place][kind], sums + kind * channels);
      }
    }
  }
}

/// sum_rows for the channels at hand: few channels leave too short a way between two additions to
/// the same sum for memory to keep up.
template <std::size_t kKinds, typename Terms>
HWY_INLINE void sum_channels(std::size_t rows, std::size_t channels, float* sums, Terms& terms) {
  switch (channels % kLanes == 0 ? channels / kLanes : 0) {
    case 1:
      return sum_rows<1, kKinds>(rows, channels, sums, terms);
    case 2:
      return sum_rows<2, kKinds>(rows, channels, sums, terms);
    case 4:
      return sum_rows<4, kKinds>(rows, channels, sums, terms);
    default:
      return sum_rows<0, kKinds>(rows, channels, sums, terms);
  }
}

struct Quantizer {
  Vector scale;
  Vector zero;
  Vector low;
  Vector high;
};

HWY_INLINE Quantizer spread(const QuantizerForm& form) {
  const Floats tag;
  return {hn::Set(tag, form.scale), hn::Set(tag, form.zero), hn::Set(tag, form.low),
          hn::Set(tag, form.high)};
}

HWY_INLINE Vector clamped_code(Vector z, const Quantizer& form) {
  const Vector quotient = hn::Div(z, form.scale);
  const Vector number = hn::IfThenElseZero(hn::Eq(quotient, quotient), quotient);
  const Vector code = hn::Add(hn::Round(number), form.zero);
  return hn::Min(hn::Max(code, form.low), form.high);
}

HWY_INLINE void store_codes(Vector clamped, const Quantizer& form, const Columns& columns,
                            std::uint8_t* to) {
  const hn::Rebind<std::int32_t, Floats> integers;
  const hn::Rebind<std::uint8_t, Floats> bytes;
  const auto code = hn::DemoteTo(bytes, hn::ConvertTo(integers, hn::Sub(clamped, form.low)));
  if (columns.length == kLanes) {
    hn::StoreU(code, bytes, to + columns.first);
    return;
  }
  std::uint8_t buffer[16];
  hn::StoreU(code, bytes, buffer);
  std::copy_n(buffer, columns.length, to + columns.first);
}

HWY_INLINE Vector bound(Vector y, Vector low, Vector high) {
  const Vector raised = hn::IfThenElse(hn::Lt(y, low), low, y);
  return hn::IfThenElse(hn::Gt(raised, high), high, raised);
}

void moments(const float* input, std::size_t rows, std::size_t channels, const float* shift,
             float* sums) {
  const auto terms = [&](std::size_t offset, const Columns& columns, Vector* addends) {
    addends[0] = hn::Sub(columns.load(input + offset), columns.load(shift));
    addends[1] = hn::Mul(addends[0], addends[0]);
  };
  sum_channels<2>(rows, channels, sums, terms);
}

Extremes normalize(const NormalizeRun& run) {
  const Floats tag;
  const Vector low = hn::Set(tag, run.bounds.low);
  const Vector high = hn::Set(tag, run.bounds.high);
  const Quantizer form = spread(run.form == nullptr ? QuantizerForm{} : *run.form);
  Vector least = hn::Set(tag, Extremes{}.low);
  Vector most = hn::Set(tag, Extremes{}.high);
  for_rows(run.rows, run.channels, [&](std::size_t offset, const Columns& columns) {
    const Vector product = hn::Mul(columns.load(run.factor), columns.load(run.input + offset));
    const Vector z = bound(hn::Add(product, columns.load(run.offset)), low, high);
    const Vector lower = columns.only(z, Extremes{}.low);
    const Vector upper = columns.only(z, Extremes{}.high);
    least = hn::IfThenElse(hn::Lt(lower, least), lower, least);
    most = hn::IfThenElse(hn::Gt(upper, most), upper, most);
    if (run.output == nullptr) return;
    if (run.form == nullptr) {
      columns.store(z, run.output + offset);
      return;
    }
    const Vector clamped = clamped_code(z, form);
    const Vector value = hn::Mul(hn::Sub(clamped, form.zero), form.scale);
    columns.store(hn::IfThenElse(hn::Eq(z, z), value, z), run.output + offset);
    if (run.codes != nullptr) store_codes(clamped, form, columns, run.codes + offset);
  });
  HWY_ALIGN float least_lanes[kLanes];
  HWY_ALIGN float most_lanes[kLanes];
  hn::Store(least, tag, least_lanes);
  hn::Store(most, tag, most_lanes);
  return {*std::min_element(least_lanes, least_lanes + kLanes),
          *std::max_element(most_lanes, most_lanes + kLanes)};
}

/// The gradient of y, and what it is made of.
class Gradients {
 public:
  explicit Gradients(const NormalizeBackwardRun& run)
      : run_(run),
        low_(hn::Set(Floats{}, run.bounds.low)),
        high_(hn::Set(Floats{}, run.bounds.high)),
        from_(hn::Set(Floats{}, run.inside.from)),
        to_(hn::Set(Floats{}, run.inside.to)) {}

  struct Lanes {
    Vector z;
    Vector g;  ///< of the output
    Vector dy;
  };

  [[nodiscard]] HWY_INLINE Lanes at(std::size_t offset, const Columns& columns, Vector x) const {
    const Vector y = hn::Add(hn::Mul(columns.load(run_.factor), x), columns.load(run_.offset));
    const Vector z = bound(y, low_, high_);
    const Vector g = columns.load(run_.gradient + offset);
    const Mask inside = hn::And(hn::Ge(z, from_), hn::Le(z, to_));
    const Mask passes = run_.bounds.inclusive ? hn::And(hn::Ge(y, low_), hn::Le(y, high_))
                                              : hn::And(hn::Gt(y, low_), hn::Lt(y, high_));
    return {z, g, hn::IfThenElseZero(hn::And(inside, passes), g)};
  }

  [[nodiscard]] HWY_INLINE Vector above(const Lanes& lanes) const {
    return hn::IfThenElseZero(hn::Gt(lanes.z, to_), lanes.g);
  }
  [[nodiscard]] HWY_INLINE Vector below(const Lanes& lanes) const {
    return hn::IfThenElseZero(hn::Lt(lanes.z, from_), lanes.g);
  }
  [[nodiscard]] HWY_INLINE Vector rounding(const Lanes& lanes, Vector scale) const {
    const Vector quotient = hn::Div(lanes.z, scale);
    const Mask inside = hn::And(hn::Ge(lanes.z, from_), hn::Le(lanes.z, to_));
    const Vector residual = hn::Sub(hn::Round(quotient), quotient);
    return hn::IfThenElseZero(inside, hn::Mul(lanes.g, residual));
  }

 private:
  const NormalizeBackwardRun& run_;
  Vector low_;
  Vector high_;
  Vector from_;
  Vector to_;
};

/// Sums over all channels, in 16 lanes: lane l holds those of the channels c with c % 16 = l.
class LaneSums {
 public:
  HWY_INLINE LaneSums() { std::fill_n(parts_, kParts, hn::Zero(Floats{})); }

  HWY_INLINE void add(const Columns& columns, Vector addends) {
    Vector& part = parts_[columns.first / kLanes % kParts];
    part = hn::Add(part, addends);
  }

  [[nodiscard]] HWY_INLINE float total() const {
    HWY_ALIGN float lanes[kSumLanes];
    for (std::size_t part = 0; part < kParts; ++part) {
      hn::Store(parts_[part], Floats{}, lanes + part * kLanes);
    }
    return add_as_tree(lanes);
  }

 private:
  static constexpr std::size_t kParts = kSumLanes / kLanes;
  Vector parts_[kParts];
};

/// What a quantizer wants to know of a block.
enum class Wanted { Nothing, OutsideSums, AllSums };

/// What a vector adds to the sums. A class and no lambda, which compilers do not always inline.
template <Wanted kWanted>
class BlockTerms {
 public:
  HWY_INLINE explicit BlockTerms(const NormalizeBackwardRun& run)
      : run_(run),
        gradients_(run),
        scale_(hn::Set(Floats{}, run.form == nullptr ? 1.0F : run.form->scale)) {}

  HWY_INLINE void operator()(std::size_t offset, const Columns& columns, Vector* addends) {
    const Vector x = columns.load(run_.input + offset);
    const auto lanes = gradients_.at(offset, columns, x);
    addends[NormalizeSum::Gradient] = lanes.dy;
    addends[NormalizeSum::Product] = hn::Mul(lanes.dy, hn::Sub(x, columns.load(run_.mean)));
    if constexpr (kWanted != Wanted::Nothing) {
      above_.add(columns, gradients_.above(lanes));
      below_.add(columns, gradients_.below(lanes));
    }
    if constexpr (kWanted == Wanted::AllSums) {
      rounding_.add(columns, gradients_.rounding(lanes, scale_));
    }
  }

  [[nodiscard]] HWY_INLINE GradientSums learned() const {
    return {above_.total(), below_.total(), rounding_.total()};
  }

 private:
  const NormalizeBackwardRun& run_;
  Gradients gradients_;
  Vector scale_;
  LaneSums above_;
  LaneSums below_;
  LaneSums rounding_;
};

template <Wanted kWanted>
HWY_INLINE GradientSums block_sums(const NormalizeBackwardRun& run, float* sums) {
  BlockTerms<kWanted> terms(run);
  sum_channels<NormalizeSum::Count>(run.rows, run.channels, sums, terms);
  return terms.learned();
}

GradientSums sums_of(const NormalizeBackwardRun& run, float* sums) {
  if (!run.learns) return block_sums<Wanted::Nothing>(run, sums);
  if (!run.rounding) return block_sums<Wanted::OutsideSums>(run, sums);
  return block_sums<Wanted::AllSums>(run, sums);
}

void backward(const NormalizeBackwardRun& run, const float* slope, const float* shift) {
  const Gradients gradients(run);
  for_rows(run.rows, run.channels, [&](std::size_t offset, const Columns& columns) {
    const Vector x = columns.load(run.input + offset);
    const Vector dy = gradients.at(offset, columns, x).dy;
    const Vector centred = hn::Sub(x, columns.load(run.mean));
    const Vector rest = hn::Add(hn::Mul(columns.load(slope), centred), columns.load(shift));
    const Vector result = hn::Add(hn::Mul(columns.load(run.factor), dy), rest);
    columns.store(result, run.result + offset);
  });
}

}  // namespace espalier::exec::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::exec::simd {

HWY_EXPORT(moments);
HWY_EXPORT(normalize);
HWY_EXPORT(sums_of);
HWY_EXPORT(backward);

namespace {

/// Orders the bits of finite floats as their values.
std::int64_t place_of(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto magnitude = static_cast<std::int64_t>(bits & 0x7FFFFFFFU);
  return (bits >> 31U) != 0 ? -magnitude : magnitude;
}

float value_at(std::int64_t place) {
  const auto magnitude = static_cast<std::uint32_t>(place < 0 ? -place : place);
  return std::bit_cast<float>(magnitude | (place < 0 ? 0x80000000U : 0U));
}

/// The place among the codes, neither rounded nor clamped.
float position_of(float value, const QuantizerForm& form) {
  return value / form.scale + form.zero;
}

/// The largest float for which `holds`, which is true up to some place; -infinity when nowhere.
template <typename Holds>
float last_place(const Holds& holds) {
  constexpr float kLargest = std::numeric_limits<float>::max();
  std::int64_t good = place_of(-kLargest);
  std::int64_t bad = place_of(kLargest);
  if (!holds(value_at(good))) return -std::numeric_limits<float>::infinity();
  if (holds(value_at(bad))) return std::numeric_limits<float>::infinity();
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (holds(value_at(middle)) ? good : bad) = middle;
  }
  return value_at(good);
}

}  // namespace

InsideRange inside_range(const QuantizerForm& form) {
  const float first = form.low + form.low_edge;
  const float last = form.high - form.high_edge;
  const float to = last_place([&](float value) { return position_of(value, form) <= last; });
  const float under = last_place([&](float value) { return position_of(value, form) < first; });
  const bool bounded = std::isfinite(under);
  return {bounded ? value_at(place_of(under) + 1) : under, to};
}

void channel_moments(const float* input, std::size_t rows, std::size_t channels, const float* shift,
                     float* sums) {
  HWY_DYNAMIC_DISPATCH(moments)(input, rows, channels, shift, sums);
}
Extremes normalize_rows(const NormalizeRun& run) {
  return HWY_DYNAMIC_DISPATCH(normalize)(run);
}
GradientSums normalize_sums(const NormalizeBackwardRun& run, float* sums) {
  return HWY_DYNAMIC_DISPATCH(sums_of)(run, sums);
}
void normalize_backward(const NormalizeBackwardRun& run, const float* slope, const float* shift) {
  HWY_DYNAMIC_DISPATCH(backward)(run, slope, shift);
}

}  // namespace espalier::exec::simd
#endif
