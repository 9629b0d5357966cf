#include "espalier/deploy/cpu.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__)
#include <sys/auxv.h>
#endif

namespace espalier::deploy {
namespace {

#if defined(__x86_64__)

struct Registers {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
};

Registers ask(unsigned leaf, unsigned subleaf) {
  Registers answer;
  if (__get_cpuid_count(leaf, subleaf, &answer.eax, &answer.ebx, &answer.ecx, &answer.edx) == 0) {
    return {};
  }
  return answer;
}

bool bit(unsigned word, int index) {
  return ((word >> index) & 1U) != 0;
}

/// Register sets that the operating system saves (XCR0); instructions without it fault.
std::uint64_t saved_registers() {
  if (!bit(ask(1, 0).ecx, 27)) return 0;
  unsigned low = 0;
  unsigned high = 0;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (std::uint64_t{high} << 32) | low;
}

std::string brand() {
  std::array<unsigned, 12> words{};
  for (unsigned part = 0; part < 3; ++part) {
    const Registers answer = ask(0x80000002U + part, 0);
    words[part * 4] = answer.eax;
    words[part * 4 + 1] = answer.ebx;
    words[part * 4 + 2] = answer.ecx;
    words[part * 4 + 3] = answer.edx;
  }
  std::array<char, sizeof(words) + 1> text{};
  std::memcpy(text.data(), words.data(), sizeof(words));
  std::string name(text.data());
  name.erase(0, name.find_first_not_of(' '));
  name.erase(name.find_last_not_of(' ') + 1);
  return name;
}

void detect(CpuFeatures& features) {
  constexpr std::uint64_t kAvx = 0x6;
  constexpr std::uint64_t kAvx512 = 0xe6;
  constexpr std::uint64_t kAmx = 0x60000;
  const std::uint64_t saved = saved_registers();
  const bool avx = (saved & kAvx) == kAvx;
  const bool avx512 = (saved & kAvx512) == kAvx512;
  const bool amx = (saved & kAmx) == kAmx;
  const Registers basic = ask(7, 0);
  const Registers more = basic.eax >= 1 ? ask(7, 1) : Registers{};
  features.model = brand();
  features.avx2 = avx && bit(basic.ebx, 5);
  features.avx512 = avx512 && bit(basic.ebx, 16) && bit(basic.ebx, 17) && bit(basic.ebx, 30) &&
                    bit(basic.ebx, 31);
  features.avx512_vnni = features.avx512 && bit(basic.ecx, 11);
  features.avx_vnni = features.avx2 && bit(more.eax, 4);
  features.avx512_bf16 = features.avx512 && bit(more.eax, 5);
  features.amx_int8 = amx && bit(basic.edx, 24) && bit(basic.edx, 25);
  features.amx_bf16 = amx && bit(basic.edx, 24) && bit(basic.edx, 22);
}

#elif defined(__aarch64__)

void detect(CpuFeatures& features) {
  constexpr unsigned long kDotProduct = 1UL << 20;
  constexpr unsigned long kI8mm = 1UL << 13;
  features.dot_product = (getauxval(AT_HWCAP) & kDotProduct) != 0;
  features.i8mm = (getauxval(AT_HWCAP2) & kI8mm) != 0;
}

#else

void detect(CpuFeatures&) {}

#endif

CpuFeatures detect_all() {
  CpuFeatures features;
  features.cores = static_cast<int>(std::thread::hardware_concurrency());
  detect(features);
  if (features.model.empty()) features.model = "unknown";
  return features;
}

}  // namespace

bool CpuFeatures::exact_u8_s8() const {
#if defined(__x86_64__)
  return avx512_vnni || avx_vnni || amx_int8;
#else
  return true;
#endif
}

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect_all();
  return features;
}

bool has_vnni() {
  return cpu_features().exact_u8_s8();
}

std::string describe(const CpuFeatures& features) {
  const std::vector<std::pair<std::string_view, bool>> table = {
      {"avx2", features.avx2},
      {"avx512", features.avx512},
      {"avx512_vnni", features.avx512_vnni},
      {"avx_vnni", features.avx_vnni},
      {"amx_int8", features.amx_int8},
      {"amx_bf16", features.amx_bf16},
      {"avx512_bf16", features.avx512_bf16},
      {"dot_product", features.dot_product},
      {"i8mm", features.i8mm},
  };
  std::vector<std::string_view> present;
  for (const auto& [name, has] : table) {
    if (has) present.push_back(name);
  }
  if (present.empty()) present.emplace_back("no 8-bit or 16-bit extensions");
  return fmt::format("{}, {} threads: {}", features.model, features.cores, fmt::join(present, " "));
}

}  // namespace espalier::deploy
