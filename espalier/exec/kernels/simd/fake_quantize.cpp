#include "espalier/exec/kernels/simd/fake_quantize.h"

#include <algorithm>

// Highway compiles this file once for each instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "espalier/exec/kernels/simd/fake_quantize.cpp"
// clang-format off
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace espalier::exec::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Floats = hn::ScalableTag<float>;
using Vector = hn::Vec<Floats>;

constexpr std::size_t kBuffer = std::max<std::size_t>(hn::MaxLanes(Floats{}), 16);

/// One vector of the formula in the header.
HWY_INLINE Vector quantize_lanes(Floats tag, Vector x, Vector scale, Vector zero,
                                 GridLimits limits) {
  const Vector low = hn::Set(tag, limits.low);
  const Vector high = hn::Set(tag, limits.high);
  const Vector quotient = hn::Div(x, scale);
  const Vector number = hn::IfThenElseZero(hn::Eq(quotient, quotient), quotient);
  const Vector code = hn::Add(hn::Round(number), zero);
  const Vector clamped = hn::Min(hn::Max(code, low), high);
  return hn::Mul(hn::Sub(clamped, zero), scale);
}

/// Calls `body(tag, index)` for whole vectors, then `tail(index)` for single elements.
template <typename Body>
HWY_INLINE void for_vectors(std::size_t count, const Body& body) {
  const Floats tag;
  const std::size_t step = hn::Lanes(tag);
  std::size_t index = 0;
  for (; index + step <= count; index += step) body(tag, index, step);
  if (index < count) body(tag, index, count - index);
}

/// Loads `length` elements; a partial vector goes through a buffer.
HWY_INLINE Vector load(Floats tag, const float* from, std::size_t length) {
  if (length == hn::Lanes(tag)) return hn::LoadU(tag, from);
  HWY_ALIGN float buffer[kBuffer];
  std::fill_n(buffer, hn::Lanes(tag), 1.0F);
  std::copy_n(from, length, buffer);
  return hn::Load(tag, buffer);
}

HWY_INLINE void store(Floats tag, Vector value, float* output, std::size_t length) {
  if (length == hn::Lanes(tag)) {
    hn::StoreU(value, tag, output);
    return;
  }
  HWY_ALIGN float buffer[kBuffer];
  hn::Store(value, tag, buffer);
  std::copy_n(buffer, length, output);
}

void run_uniform(const QuantizeRun& run, Affine affine, GridLimits limits) {
  const Vector scale = hn::Set(Floats{}, affine.scale);
  const Vector zero = hn::Set(Floats{}, affine.zero);
  for_vectors(run.count, [&](Floats tag, std::size_t index, std::size_t length) {
    const Vector x = load(tag, run.input + index, length);
    store(tag, quantize_lanes(tag, x, scale, zero, limits), run.output + index, length);
  });
}

void run_each(const QuantizeRun& run, const float* scales, const float* zeros, GridLimits limits) {
  for_vectors(run.count, [&](Floats tag, std::size_t index, std::size_t length) {
    const Vector x = load(tag, run.input + index, length);
    const Vector scale = load(tag, scales + index, length);
    const Vector zero = load(tag, zeros + index, length);
    store(tag, quantize_lanes(tag, x, scale, zero, limits), run.output + index, length);
  });
}

}  // namespace espalier::exec::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace espalier::exec::simd {

HWY_EXPORT(run_uniform);
HWY_EXPORT(run_each);

void fake_quantize(const QuantizeRun& run, Affine affine, GridLimits limits) {
  HWY_DYNAMIC_DISPATCH(run_uniform)(run, affine, limits);
}

void fake_quantize_each(const QuantizeRun& run, const float* scales, const float* zeros,
                        GridLimits limits) {
  HWY_DYNAMIC_DISPATCH(run_each)(run, scales, zeros, limits);
}

}  // namespace espalier::exec::simd
#endif
