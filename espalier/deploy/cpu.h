#pragma once

#include <string>

namespace espalier::deploy {

/// What the processor offers for 8-bit and 16-bit arithmetic. All false where the question makes no
/// sense (Arm: `dot_product` and `i8mm` instead).
struct CpuFeatures {
  std::string model;  ///< the processor's own name, "unknown" when it has none
  int cores = 0;      ///< hardware threads that this process may use
  bool avx2 = false;
  bool avx512 = false;  ///< AVX-512 F, BW, DQ and VL
  bool avx512_vnni = false;
  bool avx_vnni = false;  ///< VNNI on 256-bit registers
  bool amx_int8 = false;
  bool amx_bf16 = false;
  bool avx512_bf16 = false;
  bool dot_product = false;  ///< Arm SDOT/UDOT
  bool i8mm = false;         ///< Arm SMMLA/UMMLA

  /// u8 x s8 products are summed without saturating at 16 bits. False on x86 before VNNI, where
  /// 8-bit weights overflow in the engines and 7-bit weights are needed.
  [[nodiscard]] bool exact_u8_s8() const;
};

/// The processor this process runs on; asked once.
[[nodiscard]] const CpuFeatures& cpu_features();

/// True when weights of 8 bits are safe on this processor (CpuFeatures::exact_u8_s8).
[[nodiscard]] bool has_vnni();

/// One line for reports: "AMD EPYC, 2 threads: avx2 avx512 avx512_vnni avx512_bf16".
[[nodiscard]] std::string describe(const CpuFeatures& features);

}  // namespace espalier::deploy
