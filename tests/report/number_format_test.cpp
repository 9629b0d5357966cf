#include "espalier/report/number_format.h"

#include <limits>

#include <gtest/gtest.h>

namespace espalier::report {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(DisplayWidth, CountsWhatATerminalShows) {
  EXPECT_EQ(display_width("abc"), 3U);
  EXPECT_EQ(display_width("\u00e4\u20ac"), 2U);
  EXPECT_EQ(display_width("\u4e2d\u6587"), 4U);
  EXPECT_EQ(display_width("e\u0301"), 1U) << "a combining accent";
  EXPECT_EQ(display_width("\U0001F600"), 2U);
  EXPECT_EQ(display_width("\xff\xe4"), 2U) << "no UTF-8";
}

TEST(FormatBytes, UsesPowersOfTen) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1000), "1.00 kB");
  EXPECT_EQ(format_bytes(1'234'567), "1.23 MB");
  EXPECT_EQ(format_bytes(12'345'678), "12.3 MB");
  EXPECT_EQ(format_bytes(999'600), "1.00 MB");
  EXPECT_EQ(format_bytes(kNan), "-");
}

TEST(FormatCount, KeepsThreeDigits) {
  EXPECT_EQ(format_count(7), "7");
  EXPECT_EQ(format_count(0.25), "0.25");
  EXPECT_EQ(format_count(41'230'000), "41.2 M");
  EXPECT_EQ(format_count(4.1e12), "4.10 T");
  EXPECT_EQ(format_count(-1500), "-1.50 k");
}

TEST(FormatPercent, TakesAShare) {
  EXPECT_EQ(format_percent(0.98344), "98.34 %");
  EXPECT_EQ(format_percent(1), "100.00 %");
  EXPECT_EQ(format_percent(kNan), "-");
}

TEST(FormatMilliseconds, PicksTheUnit) {
  EXPECT_EQ(format_milliseconds(0.85), "850 us");
  EXPECT_EQ(format_milliseconds(3.214), "3.21 ms");
  EXPECT_EQ(format_milliseconds(32.14), "32.1 ms");
  EXPECT_EQ(format_milliseconds(321.4), "321 ms");
  EXPECT_EQ(format_milliseconds(12'340), "12.3 s");
  EXPECT_EQ(format_milliseconds(kNan), "-");
}

TEST(FormatDuration, PicksTheUnit) {
  EXPECT_EQ(format_duration(4.21), "4.2 s");
  EXPECT_EQ(format_duration(59.96), "1 min 00 s");
  EXPECT_EQ(format_duration(187), "3 min 07 s");
  EXPECT_EQ(format_duration(3720), "1 h 02 min");
  EXPECT_EQ(format_duration(200'000), "55 h 33 min");
  EXPECT_EQ(format_duration(kNan), "-");
}

}  // namespace
}  // namespace espalier::report
