#pragma once

#include <cstdint>

#include "espalier/exec/kernels/simd/quantize_train.h"

namespace espalier::exec::cuda {

// What the program and the module libespalier_cuda.so say to each other: plain data and addresses
// in the memory of one device. Elements are float, or bfloat16 where `half` is set.

/// Runs of one scale ("planes") of `inner` elements, cut into blocks of simd::kReductionBlock.
struct Blocks {
  std::int64_t inner = 0;
  std::int64_t channels = 1;  ///< plane p has the form p % channels
  std::int64_t planes = 0;
  std::int64_t per_plane = 0;
};

struct Forward {
  const void* input = nullptr;
  void* output = nullptr;          ///< null: only extremes
  std::uint8_t* inside = nullptr;  ///< null, or one bit an element
  std::uint8_t* above = nullptr;
  const simd::QuantizerForm* forms = nullptr;
  simd::Extremes* found = nullptr;  ///< one a block
  Blocks blocks = {};
  bool half = false;
};

struct Backward {
  const void* gradient = nullptr;
  void* result = nullptr;
  const void* input = nullptr;  ///< or, in its place, the bits
  const std::uint8_t* inside = nullptr;
  const std::uint8_t* above = nullptr;
  const simd::QuantizerForm* forms = nullptr;
  simd::GradientSums* found = nullptr;  ///< one a block
  Blocks blocks = {};
  bool half = false;
};

/// Rows of channels (channels last), cut into blocks of simd::kReductionRows.
struct Rows {
  const void* input = nullptr;
  const void* gradient = nullptr;  ///< null: forward
  void* result = nullptr;
  const simd::QuantizerForm* forms = nullptr;
  float* sums = nullptr;  ///< backward: above, below, rounding of every channel, a block
  std::int64_t rows = 0;
  std::int64_t channels = 0;
  bool half = false;
};

/// Functions start work on a device and do not wait for it; they give 0 or an error for `describe`.
struct Module {
  const char* abi = nullptr;
  int (*forward)(const Forward& work, int device) = nullptr;
  int (*backward)(const Backward& work, int device) = nullptr;
  int (*rows)(const Rows& work, int device) = nullptr;
  const char* (*describe)(int error) = nullptr;
};

/// Of this layout; a module of another one is refused.
inline constexpr char kAbi[] = "espalier cuda 2";
/// The module's only symbol: `extern "C" const Module* espalier_cuda_module()`.
inline constexpr char kSymbol[] = "espalier_cuda_module";

}  // namespace espalier::exec::cuda
