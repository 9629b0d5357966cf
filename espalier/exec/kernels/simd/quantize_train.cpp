#include "espalier/exec/kernels/simd/quantize_train.h"

#include <algorithm>

#include "espalier/exec/kernels/simd/lane_tree.h"

// Highway compiles this file once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "espalier/exec/kernels/simd/quantize_train.cpp"
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

constexpr std::size_t kGroup = kSumLanes;
constexpr std::size_t kLanes = hn::MaxLanes(Floats{});
constexpr std::size_t kVectors = kGroup / kLanes;

/// One group of 16 lanes.
struct Sums {
  Vector parts[kVectors];
  HWY_INLINE Vector& operator[](std::size_t part) { return parts[part]; }
  HWY_INLINE const Vector& operator[](std::size_t part) const { return parts[part]; }
};

/// Elements as float32.
HWY_INLINE Vector load(const float* from) {
  return hn::LoadU(Floats{}, from);
}
HWY_INLINE Vector load(const BFloat16* from) {
  const hn::Rebind<std::uint16_t, Floats> halves;
  const hn::Rebind<std::uint32_t, Floats> words;
  const auto bits = hn::LoadU(halves, reinterpret_cast<const std::uint16_t*>(from));
  return hn::BitCast(Floats{}, hn::ShiftLeft<16>(hn::PromoteTo(words, bits)));
}

HWY_INLINE void store(Vector value, float* to) {
  hn::StoreU(value, Floats{}, to);
}
/// Rounds to nearest, ties to even; NaN becomes the quiet one, as libtorch has it.
HWY_INLINE void store(Vector value, BFloat16* to) {
  const hn::Rebind<std::uint16_t, Floats> halves;
  const hn::Rebind<std::uint32_t, Floats> words;
  const hn::Rebind<std::int32_t, Floats> integers;
  const auto bits = hn::BitCast(words, value);
  const auto odd = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 1));
  const auto rounded = hn::ShiftRight<16>(hn::Add(hn::Add(bits, hn::Set(words, 0x7FFF)), odd));
  const auto number = hn::RebindMask(words, hn::Eq(value, value));
  const auto kept = hn::IfThenElse(number, rounded, hn::Set(words, 0x7FC0));
  hn::StoreU(hn::DemoteTo(halves, hn::BitCast(integers, kept)), halves,
             reinterpret_cast<std::uint16_t*>(to));
}

struct Form {
  Vector scale;
  Vector zero;
  Vector low;
  Vector high;
  Vector from;  ///< inside: from this place
  Vector to;    ///< up to this one
};

HWY_INLINE Form spread(const QuantizerForm& form) {
  const Floats tag;
  return {hn::Set(tag, form.scale),
          hn::Set(tag, form.zero),
          hn::Set(tag, form.low),
          hn::Set(tag, form.high),
          hn::Set(tag, form.low + form.low_edge),
          hn::Set(tag, form.high - form.high_edge)};
}

struct Quantized {
  Vector place;  ///< x / s + zero: neither rounded nor clamped
  Vector clamped;
  Vector residual;  ///< round(x / s) - x / s
  Mask inside;
};

HWY_INLINE Quantized quantize(Vector x, const Form& form) {
  const Vector quotient = hn::Div(x, form.scale);
  const Vector number = hn::IfThenElseZero(hn::Eq(quotient, quotient), quotient);
  const Vector rounded = hn::Round(number);
  const Vector place = hn::Add(number, form.zero);
  const Vector clamped = hn::Min(hn::Max(hn::Add(rounded, form.zero), form.low), form.high);
  const Mask inside = hn::And(hn::Ge(place, form.from), hn::Le(place, form.to));
  return {place, clamped, hn::Sub(rounded, number), inside};
}

HWY_INLINE Vector value_of(const Quantized& lanes, Vector x, const Form& form) {
  const Vector value = hn::Mul(hn::Sub(lanes.clamped, form.zero), form.scale);
  return hn::IfThenElse(hn::Eq(x, x), value, x);
}

/// max(x, 0) that keeps NaN, as Relu does.
HWY_INLINE Vector rectified(Vector x) {
  return hn::IfThenElse(hn::Le(x, hn::Zero(Floats{})), hn::Zero(Floats{}), x);
}

/// Where a Relu lets the gradient through: also at NaN.
HWY_INLINE Mask passes_relu(Vector x) {
  return hn::Not(hn::Le(x, hn::Zero(Floats{})));
}

HWY_INLINE std::uint32_t bits_of(Mask mask) {
  std::uint8_t bytes[8] = {};
  hn::StoreMaskBits(Floats{}, mask, bytes);
  const std::uint32_t bits = std::uint32_t{bytes[0]} | std::uint32_t{bytes[1]} << 8U;
  return bits & ((1U << kLanes) - 1U);
}

HWY_INLINE Mask mask_of(std::uint32_t bits) {
  const std::uint8_t bytes[8] = {static_cast<std::uint8_t>(bits),
                                 static_cast<std::uint8_t>(bits >> 8U)};
  return hn::LoadMaskBits(Floats{}, bytes);
}

HWY_INLINE void write_bits(std::uint32_t bits, std::uint8_t* to) {
  to[0] = static_cast<std::uint8_t>(bits);
  to[1] = static_cast<std::uint8_t>(bits >> 8U);
}

HWY_INLINE std::uint32_t read_bits(const std::uint8_t* from) {
  return std::uint32_t{from[0]} | std::uint32_t{from[1]} << 8U;
}

HWY_INLINE void store_codes(const Quantized& lanes, const Form& form, std::uint8_t* to) {
  const hn::Rebind<std::int32_t, Floats> integers;
  const hn::Rebind<std::uint8_t, Floats> bytes;
  const auto code = hn::ConvertTo(integers, hn::Sub(lanes.clamped, form.low));
  hn::StoreU(hn::DemoteTo(bytes, code), bytes, to);
}

HWY_INLINE float sum_lanes(const Sums& sums) {
  HWY_ALIGN float lanes[kGroup];
  for (std::size_t part = 0; part < kVectors; ++part) {
    hn::Store(sums[part], Floats{}, lanes + part * kLanes);
  }
  return add_as_tree(lanes);
}

HWY_INLINE Sums fill_sums(float value) {
  Sums sums;
  for (Vector& part : sums.parts) part = hn::Set(Floats{}, value);
  return sums;
}

template <typename Element>
class ForwardLoop {
 public:
  ForwardLoop(const ForwardRun<Element>& run, const QuantizerForm& form)
      : run_(run),
        form_(spread(form)),
        least_(fill_sums(Extremes{}.low)),
        most_(fill_sums(Extremes{}.high)) {}

  HWY_INLINE Extremes go() {
    std::size_t index = 0;
    for (; index + kGroup <= run_.count; index += kGroup) {
      group(run_.input + index, run_.output == nullptr ? nullptr : run_.output + index,
            run_.codes == nullptr ? nullptr : run_.codes + index, index);
    }
    if (index < run_.count) tail(index);
    return extremes();
  }

 private:
  HWY_INLINE void group(const Element* input, Element* output, std::uint8_t* codes,
                        std::size_t index) {
    std::uint32_t inside = 0;
    std::uint32_t above = 0;
    for (std::size_t part = 0; part < kVectors; ++part) {
      const std::size_t lane = part * kLanes;
      const Vector read = load(input + lane);
      const Vector x = run_.rectify ? rectified(read) : read;
      least_[part] = hn::IfThenElse(hn::Lt(x, least_[part]), x, least_[part]);
      most_[part] = hn::IfThenElse(hn::Gt(x, most_[part]), x, most_[part]);
      if (output == nullptr) continue;
      const Quantized lanes = quantize(x, form_);
      store(value_of(lanes, x, form_), output + lane);
      if (codes != nullptr) store_codes(lanes, form_, codes + lane);
      if (run_.inside != nullptr) {
        const Mask passed = run_.rectify ? hn::And(lanes.inside, passes_relu(x)) : lanes.inside;
        inside |= bits_of(passed) << lane;
      }
      if (run_.above != nullptr) above |= bits_of(hn::Gt(lanes.place, form_.to)) << lane;
    }
    if (run_.inside != nullptr) write_bits(inside, run_.inside + index / 8);
    if (run_.above != nullptr) write_bits(above, run_.above + index / 8);
  }

  /// The last elements, filled up with copies of one of them.
  void tail(std::size_t index) {
    const std::size_t length = run_.count - index;
    Element input[kGroup];
    Element output[kGroup];
    std::uint8_t codes[kGroup];
    std::fill_n(input, kGroup, run_.input[index]);
    std::copy_n(run_.input + index, length, input);
    group(input, run_.output == nullptr ? nullptr : output, codes, index);
    if (run_.output != nullptr) std::copy_n(output, length, run_.output + index);
    if (run_.codes != nullptr) std::copy_n(codes, length, run_.codes + index);
  }

  HWY_INLINE Extremes extremes() const {
    HWY_ALIGN float least[kGroup];
    HWY_ALIGN float most[kGroup];
    for (std::size_t part = 0; part < kVectors; ++part) {
      hn::Store(least_[part], Floats{}, least + part * kLanes);
      hn::Store(most_[part], Floats{}, most + part * kLanes);
    }
    return {*std::min_element(least, least + kGroup), *std::max_element(most, most + kGroup)};
  }

  const ForwardRun<Element>& run_;
  Form form_;
  Sums least_;
  Sums most_;
};

template <typename Element>
class BackwardLoop {
 public:
  BackwardLoop(const BackwardRun<Element>& run, const QuantizerForm& form)
      : run_(run),
        form_(spread(form)),
        above_(fill_sums(0)),
        below_(fill_sums(0)),
        rounding_(fill_sums(0)) {}

  HWY_INLINE GradientSums go() {
    std::size_t index = 0;
    for (; index + kGroup <= run_.count; index += kGroup) {
      group(run_.gradient + index, run_.input == nullptr ? nullptr : run_.input + index,
            run_.result + index, index);
    }
    if (index < run_.count) tail(index);
    return {sum_lanes(above_), sum_lanes(below_), sum_lanes(rounding_)};
  }

 private:
  HWY_INLINE void group(const Element* gradient, const Element* input, Element* result,
                        std::size_t index) {
    const bool masked = run_.inside != nullptr;
    const std::uint32_t inside_bits = masked ? read_bits(run_.inside + index / 8) : 0;
    const std::uint32_t above_bits = run_.above != nullptr ? read_bits(run_.above + index / 8) : 0;
    for (std::size_t part = 0; part < kVectors; ++part) {
      const std::size_t lane = part * kLanes;
      const Vector g = load(gradient + lane);
      Mask inside;
      Mask above;
      if (masked) {
        inside = mask_of(inside_bits >> lane);
        above = mask_of(above_bits >> lane);
      } else {
        const Vector read = load(input + lane);
        const Quantized lanes = quantize(run_.rectify ? rectified(read) : read, form_);
        inside = run_.rectify ? hn::And(lanes.inside, passes_relu(read)) : lanes.inside;
        above = hn::Gt(lanes.place, form_.to);
        const Vector term = hn::IfThenElseZero(inside, hn::Mul(g, lanes.residual));
        rounding_[part] = hn::Add(rounding_[part], term);
      }
      store(hn::IfThenElseZero(inside, g), result + lane);
      above_[part] = hn::Add(above_[part], hn::IfThenElseZero(above, g));
      if (run_.rectify) continue;  // what is not negative lies at or above the zero point
      const Mask below = hn::Not(hn::Or(inside, above));
      below_[part] = hn::Add(below_[part], hn::IfThenElseZero(below, g));
    }
  }

  /// The last elements, filled up with zeros whose gradient is zero.
  void tail(std::size_t index) {
    const std::size_t length = run_.count - index;
    Element gradient[kGroup] = {};
    Element input[kGroup] = {};
    Element result[kGroup];
    std::copy_n(run_.gradient + index, length, gradient);
    if (run_.input != nullptr) std::copy_n(run_.input + index, length, input);
    group(gradient, input, result, index);
    std::copy_n(result, length, run_.result + index);
  }

  const BackwardRun<Element>& run_;
  Form form_;
  Sums above_;
  Sums below_;
  Sums rounding_;
};

/// Some channels of every row; a partial vector goes through buffers.
template <typename Element>
class RowsLoop {
 public:
  explicit RowsLoop(const RowsRun<Element>& run) : run_(run) {}

  void forward() const {
    for (std::size_t channel = 0; channel < run_.channels; channel += kLanes) {
      const std::size_t length = std::min(kLanes, run_.channels - channel);
      const Form form = form_at(channel, length);
      for (std::size_t row = 0; row < run_.rows; ++row) {
        const std::size_t offset = row * run_.channels + channel;
        const Vector x = load_some(run_.input + offset, length);
        store_some(value_of(quantize(x, form), x, form), run_.result + offset, length);
      }
    }
  }

  void backward(float* sums) const {
    for (std::size_t channel = 0; channel < run_.channels; channel += kLanes) {
      const std::size_t length = std::min(kLanes, run_.channels - channel);
      const Form form = form_at(channel, length);
      Vector above_sum = hn::Zero(Floats{});
      Vector below_sum = hn::Zero(Floats{});
      Vector rounding_sum = hn::Zero(Floats{});
      for (std::size_t row = 0; row < run_.rows; ++row) {
        const std::size_t offset = row * run_.channels + channel;
        const Vector x = load_some(run_.input + offset, length);
        const Vector g = load_some(run_.gradient + offset, length);
        const Quantized lanes = quantize(x, form);
        const Mask above = hn::Gt(lanes.place, form.to);
        const Mask below = hn::Not(hn::Or(lanes.inside, above));
        store_some(hn::IfThenElseZero(lanes.inside, g), run_.result + offset, length);
        above_sum = hn::Add(above_sum, hn::IfThenElseZero(above, g));
        below_sum = hn::Add(below_sum, hn::IfThenElseZero(below, g));
        const Vector term = hn::IfThenElseZero(lanes.inside, hn::Mul(g, lanes.residual));
        rounding_sum = hn::Add(rounding_sum, term);
      }
      store_some(above_sum, sums + channel, length);
      store_some(below_sum, sums + run_.channels + channel, length);
      store_some(rounding_sum, sums + 2 * run_.channels + channel, length);
    }
  }

 private:
  template <typename Type>
  static HWY_INLINE Vector load_some(const Type* from, std::size_t length) {
    if (length == kLanes) return load(from);
    Type buffer[kLanes] = {};
    std::copy_n(from, length, buffer);
    return load(buffer);
  }

  template <typename Type>
  static HWY_INLINE void store_some(Vector value, Type* to, std::size_t length) {
    if (length == kLanes) {
      store(value, to);
      return;
    }
    Type buffer[kLanes];
    store(value, buffer);
    std::copy_n(buffer, length, to);
  }

  [[nodiscard]] Form form_at(std::size_t channel, std::size_t length) const {
    float scale[kLanes];
    std::fill_n(scale, kLanes, 1.0F);
    std::copy_n(run_.scales + channel, length, scale);
    const Floats tag;
    return {load(scale),
            load_some(run_.zeros + channel, length),
            hn::Set(tag, run_.low),
            hn::Set(tag, run_.high),
            hn::Set(tag, run_.low + run_.low_edge),
            hn::Set(tag, run_.high - run_.high_edge)};
  }

  const RowsRun<Element>& run_;
};

Extremes forward_float(const ForwardRun<float>& run, const QuantizerForm& form) {
  return ForwardLoop<float>(run, form).go();
}
Extremes forward_half(const ForwardRun<BFloat16>& run, const QuantizerForm& form) {
  return ForwardLoop<BFloat16>(run, form).go();
}
GradientSums backward_float(const BackwardRun<float>& run, const QuantizerForm& form) {
  return BackwardLoop<float>(run, form).go();
}
GradientSums backward_half(const BackwardRun<BFloat16>& run, const QuantizerForm& form) {
  return BackwardLoop<BFloat16>(run, form).go();
}
void rows_float(const RowsRun<float>& run) {
  RowsLoop<float>(run).forward();
}
void rows_half(const RowsRun<BFloat16>& run) {
  RowsLoop<BFloat16>(run).forward();
}
void backward_rows_float(const RowsRun<float>& run, float* sums) {
  RowsLoop<float>(run).backward(sums);
}
void backward_rows_half(const RowsRun<BFloat16>& run, float* sums) {
  RowsLoop<BFloat16>(run).backward(sums);
}

void values_of_codes(const std::uint8_t* codes, float* output, std::size_t count,
                     const QuantizerForm& form) {
  const hn::Rebind<std::int32_t, Floats> integers;
  const hn::Rebind<std::uint8_t, Floats> bytes;
  const Form spread_form = spread(form);
  std::size_t index = 0;
  for (; index + kLanes <= count; index += kLanes) {
    const auto code = hn::PromoteTo(integers, hn::LoadU(bytes, codes + index));
    const Vector whole = hn::Add(hn::ConvertTo(Floats{}, code), spread_form.low);
    store(hn::Mul(hn::Sub(whole, spread_form.zero), spread_form.scale), output + index);
  }
  for (; index < count; ++index) {
    output[index] = (static_cast<float>(codes[index]) + form.low - form.zero) * form.scale;
  }
}

}  // namespace espalier::exec::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::exec::simd {

HWY_EXPORT(forward_float);
HWY_EXPORT(forward_half);
HWY_EXPORT(backward_float);
HWY_EXPORT(backward_half);
HWY_EXPORT(rows_float);
HWY_EXPORT(rows_half);
HWY_EXPORT(backward_rows_float);
HWY_EXPORT(backward_rows_half);
HWY_EXPORT(values_of_codes);

Extremes quantize_block(const ForwardRun<float>& run, const QuantizerForm& form) {
  return HWY_DYNAMIC_DISPATCH(forward_float)(run, form);
}
Extremes quantize_block(const ForwardRun<BFloat16>& run, const QuantizerForm& form) {
  return HWY_DYNAMIC_DISPATCH(forward_half)(run, form);
}
GradientSums backward_block(const BackwardRun<float>& run, const QuantizerForm& form) {
  return HWY_DYNAMIC_DISPATCH(backward_float)(run, form);
}
GradientSums backward_block(const BackwardRun<BFloat16>& run, const QuantizerForm& form) {
  return HWY_DYNAMIC_DISPATCH(backward_half)(run, form);
}
void quantize_rows(const RowsRun<float>& run) {
  HWY_DYNAMIC_DISPATCH(rows_float)(run);
}
void quantize_rows(const RowsRun<BFloat16>& run) {
  HWY_DYNAMIC_DISPATCH(rows_half)(run);
}
void backward_rows(const RowsRun<float>& run, float* sums) {
  HWY_DYNAMIC_DISPATCH(backward_rows_float)(run, sums);
}
void backward_rows(const RowsRun<BFloat16>& run, float* sums) {
  HWY_DYNAMIC_DISPATCH(backward_rows_half)(run, sums);
}
void dequantize_codes(const std::uint8_t* codes, float* output, std::size_t count,
                      const QuantizerForm& form) {
  HWY_DYNAMIC_DISPATCH(values_of_codes)(codes, output, count, form);
}

}  // namespace espalier::exec::simd
#endif
