// The loops for GPUs, run by the processor: 16 lanes one after the other. They must give the bits
// that the processor's own loops give.
#include "espalier/exec/kernels/cuda/launch.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "espalier/exec/kernels/cuda/lanes.h"
#include "espalier/exec/kernels/cuda/module.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/kit/tensors.h"

namespace espalier::exec::cuda {
namespace {

/// A team of lanes that is one thread.
class Sequence {
 public:
  template <typename Value>
  struct Lanes {
    std::array<Value, kLanes> values{};
    Value& operator[](int slot) { return values[static_cast<std::size_t>(slot)]; }
    const Value& operator[](int slot) const { return values[static_cast<std::size_t>(slot)]; }
  };

  template <typename Body>
  void each(const Body& body) const {
    for (int lane = 0; lane < kLanes; ++lane) body(lane, lane);
  }
  [[nodiscard]] std::uint32_t vote(const Lanes<bool>& lanes) const {
    std::uint32_t bits = 0;
    each([&](int lane, int slot) { bits |= static_cast<std::uint32_t>(lanes[slot]) << lane; });
    return bits;
  }
  void write_bits(std::uint32_t bits, std::uint8_t* to) const {
    to[0] = static_cast<std::uint8_t>(bits);
    to[1] = static_cast<std::uint8_t>(bits >> 8U);
  }
  [[nodiscard]] float sum(Lanes<float> lanes) const {
    for (int half = kLanes / 2; half > 0; half /= 2) {
      for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
    }
    return lanes[0];
  }
  [[nodiscard]] float least(const Lanes<float>& lanes) const {
    return *std::ranges::min_element(lanes.values);
  }
  [[nodiscard]] float most(const Lanes<float>& lanes) const {
    return *std::ranges::max_element(lanes.values);
  }
  [[nodiscard]] bool leads() const { return true; }
};

int forward(const Forward& work, int) {
  for (std::int64_t block = 0; block < work.blocks.planes * work.blocks.per_plane; ++block) {
    work.half ? forward_block<simd::BFloat16>(Sequence(), work, block)
              : forward_block<float>(Sequence(), work, block);
  }
  return 0;
}

int backward(const Backward& work, int) {
  for (std::int64_t block = 0; block < work.blocks.planes * work.blocks.per_plane; ++block) {
    work.half ? backward_block<simd::BFloat16>(Sequence(), work, block)
              : backward_block<float>(Sequence(), work, block);
  }
  return 0;
}

int rows(const Rows& work, int) {
  for (std::int64_t block = 0; block < row_blocks(work); ++block) {
    for (std::int64_t channel = 0; channel < work.channels; ++channel) {
      work.half ? row_block<simd::BFloat16>(work, block, channel)
                : row_block<float>(work, block, channel);
    }
  }
  return 0;
}

const Tensor kNothing;
const Buffers kNoBuffers;

constexpr Module kModule{.abi = kAbi, .forward = forward, .backward = backward, .rows = rows};

constexpr std::array kForms{
    simd::QuantizerForm{
        .scale = 0.25F, .zero = 3, .low = 0, .high = 15, .low_edge = 0.5F, .high_edge = 1e-5F},
    simd::QuantizerForm{.scale = 0.013F, .zero = -2, .low = -7, .high = 7},
    simd::QuantizerForm{.scale = 1.7F, .zero = 0, .low = -128, .high = 127}};

/// In range, far out, ties, NaN, infinities, subnormals.
Tensor awkward(at::IntArrayRef sizes, std::uint64_t seed, at::ScalarType type) {
  Tensor tensor = kit::random_tensor(sizes.vec(), seed, {.low = -4, .high = 4}).contiguous();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::array special{NAN,    infinity, -infinity, 1e-41F, -1e-41F,
                           0.125F, -0.0F,    3e38F,     -3e38F, 0.375F};
  float* data = tensor.mutable_data_ptr<float>();
  for (std::int64_t index = 0; index < tensor.numel(); index += 7) {
    data[index] = special[static_cast<std::size_t>(index / 7) % special.size()];
  }
  return tensor.to(type);
}

std::uint32_t bits_of(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

std::uint32_t bits_of(double value) {
  return bits_of(static_cast<float>(value));
}

/// The processor's loops, block by block, over planes.
template <typename Element>
struct Expected {
  Expected(const Tensor& input, const Tensor& gradient, std::int64_t inner,
           std::span<const simd::QuantizerForm> forms)
      : output(at::empty_like(input)),
        result(at::empty_like(input)),
        masked(at::empty_like(input)),
        inside(at::empty({(input.numel() + 15) / 16 * 2}, at::kByte)),
        above(at::empty_like(inside)),
        extremes(forms.size()),
        sums(forms.size()) {
    const auto block = static_cast<std::int64_t>(simd::kReductionBlock);
    for (std::int64_t plane = 0; plane * inner < input.numel(); ++plane) {
      const std::size_t channel = static_cast<std::size_t>(plane) % forms.size();
      for (std::int64_t start = 0; start < inner; start += block) {
        run(input, gradient, plane * inner + start, std::min(block, inner - start), channel,
            forms[channel]);
      }
    }
  }

  void run(const Tensor& input, const Tensor& gradient, std::int64_t begin, std::int64_t count,
           std::size_t channel, const simd::QuantizerForm& form) {
    const auto* from = static_cast<const Element*>(input.const_data_ptr()) + begin;
    const auto* slope = static_cast<const Element*>(gradient.const_data_ptr()) + begin;
    const bool bits = extremes.size() == 1;
    auto* in_bits = bits ? inside.mutable_data_ptr<std::uint8_t>() + begin / 8 : nullptr;
    auto* above_bits = bits ? above.mutable_data_ptr<std::uint8_t>() + begin / 8 : nullptr;
    const auto length = static_cast<std::size_t>(count);
    const auto found = simd::quantize_block(
        simd::ForwardRun<Element>{
            .input = from,
            .output = static_cast<Element*>(output.mutable_data_ptr()) + begin,
            .inside = in_bits,
            .above = above_bits,
            .count = length},
        form);
    extremes[channel].low = std::min(extremes[channel].low, found.low);
    extremes[channel].high = std::max(extremes[channel].high, found.high);
    const auto sum = simd::backward_block(
        simd::BackwardRun<Element>{
            .gradient = slope,
            .result = static_cast<Element*>(result.mutable_data_ptr()) + begin,
            .input = from,
            .count = length},
        form);
    sums[channel].above += double{sum.above};
    sums[channel].below += double{sum.below};
    sums[channel].rounding += double{sum.rounding};
    if (!bits) return;
    (void)simd::backward_block(
        simd::BackwardRun<Element>{
            .gradient = slope,
            .result = static_cast<Element*>(masked.mutable_data_ptr()) + begin,
            .inside = in_bits,
            .above = above_bits,
            .count = length},
        form);
  }

  Tensor output;
  Tensor result;
  Tensor masked;
  Tensor inside;
  Tensor above;
  std::vector<simd::Extremes> extremes;
  std::vector<QuantizerSums> sums;
};

void expect_equal(const std::vector<QuantizerSums>& sums,
                  const std::vector<QuantizerSums>& expected, bool rounding) {
  ASSERT_EQ(sums.size(), expected.size());
  for (std::size_t index = 0; index < sums.size(); ++index) {
    EXPECT_EQ(bits_of(sums[index].above), bits_of(expected[index].above)) << index;
    EXPECT_EQ(bits_of(sums[index].below), bits_of(expected[index].below)) << index;
    if (!rounding) continue;
    EXPECT_EQ(bits_of(sums[index].rounding), bits_of(expected[index].rounding)) << index;
  }
}

template <typename Element>
void compare_planes(const Tensor& input, std::int64_t axis, std::int64_t inner,
                    std::size_t scales) {
  const Tensor gradient = kit::random_tensor(input.sizes().vec(), 9).to(input.scalar_type());
  const std::span forms = std::span(kForms).first(scales);
  const Expected<Element> expected(input, gradient, inner, forms);
  Buffers buffers{.output = at::empty_like(input), .inside = {}, .above = {}};
  if (scales == 1) {
    buffers.inside = at::empty_like(expected.inside);
    buffers.above = at::empty_like(expected.above);
  }
  const auto extremes = run_forward(kModule, input, forms, buffers, axis);
  EXPECT_THAT(buffers.output, kit::HasSameBits(expected.output));
  ASSERT_EQ(extremes.size(), scales);
  for (std::size_t index = 0; index < scales; ++index) {
    EXPECT_EQ(extremes[index].low, expected.extremes[index].low);
    EXPECT_EQ(extremes[index].high, expected.extremes[index].high);
  }
  Tensor result = at::empty_like(input);
  expect_equal(run_backward(kModule, {gradient, input, kNoBuffers}, forms, result, axis),
               expected.sums,
               /*rounding=*/true);
  EXPECT_THAT(result, kit::HasSameBits(expected.result));
  if (scales != 1) return;
  EXPECT_TRUE(at::equal(buffers.inside, expected.inside));
  EXPECT_TRUE(at::equal(buffers.above, expected.above));
  Tensor masked = at::empty_like(input);
  expect_equal(run_backward(kModule, {gradient, kNothing, buffers}, forms, masked, axis),
               expected.sums,
               /*rounding=*/false);
  EXPECT_THAT(masked, kit::HasSameBits(expected.masked));
  Buffers none;
  EXPECT_EQ(run_forward(kModule, input, forms, none, axis)[0].high, expected.extremes[0].high);
}

TEST(CudaLaunch, OneScaleGivesTheProcessorsBits) {
  for (const std::int64_t count : {1, 15, 16, 17, 4095, 4096, 4097, 10007}) {
    SCOPED_TRACE(count);
    compare_planes<float>(awkward({count}, 3, at::kFloat), -1, count, 1);
    compare_planes<simd::BFloat16>(awkward({count}, 4, at::kBFloat16), -1, count, 1);
  }
}

TEST(CudaLaunch, AScaleAPlaneGivesTheProcessorsBits) {
  compare_planes<float>(awkward({3, 5, 11}, 3, at::kFloat), 0, 55, 3);
  compare_planes<float>(awkward({2, 3, 4500}, 5, at::kFloat), 1, 4500, 3);
  compare_planes<simd::BFloat16>(awkward({2, 3, 77}, 6, at::kBFloat16), 1, 77, 3);
}

template <typename Element>
void compare_rows(at::ScalarType type) {
  constexpr std::int64_t kCount = 300;
  const Tensor input = awkward({kCount, 3}, 8, type);
  const Tensor gradient = kit::random_tensor({kCount, 3}, 9).to(type);
  constexpr float kEdge = 0.25F;
  std::array<simd::QuantizerForm, 3> forms = kForms;
  for (simd::QuantizerForm& form : forms) {
    form.low = -8;
    form.high = 7;
    form.low_edge = form.high_edge = kEdge;
  }
  std::array<float, 3> scales{};
  std::array<float, 3> zeros{};
  for (std::size_t index = 0; index < forms.size(); ++index) {
    scales[index] = forms[index].scale;
    zeros[index] = forms[index].zero;
  }
  Tensor output = at::empty_like(input);
  Tensor result = at::empty_like(input);
  std::vector<QuantizerSums> sums(3);
  const auto step = static_cast<std::int64_t>(simd::kReductionRows);
  for (std::int64_t row = 0; row < kCount; row += step) {
    simd::RowsRun<Element> run{
        .input = static_cast<const Element*>(input.const_data_ptr()) + row * 3,
        .gradient = static_cast<const Element*>(gradient.const_data_ptr()) + row * 3,
        .result = static_cast<Element*>(output.mutable_data_ptr()) + row * 3,
        .rows = static_cast<std::size_t>(std::min(step, kCount - row)),
        .channels = 3,
        .scales = scales.data(),
        .zeros = zeros.data(),
        .low = -8,
        .high = 7,
        .low_edge = kEdge,
        .high_edge = kEdge};
    simd::quantize_rows(run);
    run.result = static_cast<Element*>(result.mutable_data_ptr()) + row * 3;
    std::array<float, 9> part{};
    simd::backward_rows(run, part.data());
    for (std::size_t index = 0; index < 3; ++index) {
      sums[index].above += double{part[index]};
      sums[index].below += double{part[3 + index]};
      sums[index].rounding += double{part[6 + index]};
    }
  }
  Buffers buffers{.output = at::empty_like(input), .inside = {}, .above = {}};
  EXPECT_TRUE(run_forward(kModule, input, forms, buffers, 1).empty());
  EXPECT_THAT(buffers.output, kit::HasSameBits(output));
  Tensor found = at::empty_like(input);
  expect_equal(run_backward(kModule, {gradient, input, kNoBuffers}, forms, found, 1), sums,
               /*rounding=*/true);
  EXPECT_THAT(found, kit::HasSameBits(result));
}

TEST(CudaLaunch, RowsOfChannelsGiveTheProcessorsBits) {
  compare_rows<float>(at::kFloat);
  compare_rows<simd::BFloat16>(at::kBFloat16);
}

TEST(CudaLaunch, ErrorsOfTheDeviceAreNamed) {
  Module broken = kModule;
  broken.forward = [](const Forward&, int) { return 7; };
  broken.describe = [](int error) { return error == 7 ? "out of registers" : ""; };
  Buffers buffers;
  EXPECT_THROW((void)run_forward(broken, kit::random_tensor({4}, 1), std::span(kForms).first(1),
                                 buffers, -1),
               std::runtime_error);
}

TEST(CudaModule, AMissingOrStrangeFileIsRefused) {
  const kit::TemporaryFolder folder;
  kit::expect_unsupported([&] { (void)open_module(folder.path() / "none.so"); }, "no such file");
  kit::expect_unsupported([&] { (void)open_module(folder.write("x.so", "not a library")); },
                          "cannot open the module of CUDA kernels");
}

}  // namespace
}  // namespace espalier::exec::cuda
