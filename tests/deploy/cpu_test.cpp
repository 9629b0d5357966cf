#include "espalier/deploy/cpu.h"

#include <fstream>
#include <sstream>

#include <gmock/gmock.h>

namespace espalier::deploy {
namespace {

using ::testing::HasSubstr;

std::string cpu_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("flags")) return line + " ";
  }
  return "";
}

TEST(Cpu, AgreesWithTheKernel) {
  const std::string flags = cpu_flags();
  if (flags.empty()) GTEST_SKIP() << "no flags in /proc/cpuinfo";
  const auto kernel_has = [&](std::string_view flag) {
    return flags.find(" " + std::string(flag) + " ") != std::string::npos;
  };
  const CpuFeatures& features = cpu_features();
  EXPECT_EQ(features.avx2, kernel_has("avx2"));
  EXPECT_EQ(features.avx512_vnni, kernel_has("avx512_vnni"));
  EXPECT_EQ(features.avx_vnni, kernel_has("avx_vnni"));
  EXPECT_EQ(features.avx512_bf16, kernel_has("avx512_bf16"));
  EXPECT_EQ(features.amx_int8, kernel_has("amx_int8"));
  EXPECT_GE(features.cores, 1);
  EXPECT_EQ(has_vnni(), features.exact_u8_s8());
}

TEST(Cpu, OneLineNamesWhatIsThere) {
  CpuFeatures features;
  features.model = "Example 9000";
  features.cores = 4;
  features.avx2 = true;
  features.avx_vnni = true;
  EXPECT_EQ(describe(features), "Example 9000, 4 threads: avx2 avx_vnni");
  EXPECT_THAT(describe({.model = "Old", .cores = 1}), HasSubstr("no 8-bit or 16-bit extensions"));
}

#if defined(__x86_64__)
TEST(Cpu, ProductsSaturateBeforeVnni) {
  CpuFeatures features;
  features.avx2 = true;
  features.avx512 = true;
  EXPECT_FALSE(features.exact_u8_s8());
  features.avx512_vnni = true;
  EXPECT_TRUE(features.exact_u8_s8());
}
#endif

}  // namespace
}  // namespace espalier::deploy
