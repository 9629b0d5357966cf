#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/quant/calibrate.h"
#include "tests/kit/expect_error.h"
#include "tests/quant/raw_data.h"
#include "tests/quant/small_graph.h"

namespace espalier::quant {
namespace {

Statistics some_statistics() {
  Statistics statistics{.model_id = "0123456789abcdef", .samples = 3, .micro_batch = 2};
  for (const auto& set : quant_test::raw_data_sets(50)) {
    statistics.values[set.name] = quant_test::statistics_of(set.values);
  }
  statistics.channels["relu"] = {.mean = {0.5, -1e-300}, .mean_square = {1, 2}};
  return statistics;
}

TEST(StatisticsFile, ReadsBackWhatItWrote) {
  const Statistics statistics = some_statistics();
  const std::string bytes = to_bytes(statistics);
  const Statistics read = statistics_from_bytes(bytes, "cache");
  EXPECT_EQ(read, statistics);
  EXPECT_EQ(to_bytes(read), bytes);
}

TEST(StatisticsFile, RefusesOtherFilesAndDamage) {
  const std::string bytes = to_bytes(some_statistics());
  const auto refused = [](std::string_view content, std::string_view text) {
    return kit::expect_user_error([&] { (void)statistics_from_bytes(content, "a.stats"); }, text);
  };
  EXPECT_THAT(refused("not statistics", "a.stats"), testing::HasSubstr("got other content"));
  refused("", "other content");
  refused(bytes.substr(0, 24), "the end after the name");
  std::string flipped = bytes;
  flipped[bytes.size() / 2] = static_cast<char>(flipped[bytes.size() / 2] ^ 4);
  refused(flipped, "a wrong checksum");
}

TEST(StatisticsFile, RefusesEveryTruncation) {
  const std::string bytes = to_bytes(some_statistics());
  for (std::size_t size = 0; size < bytes.size(); size += 97) {
    kit::expect_user_error(
        [&] { (void)statistics_from_bytes(std::string_view(bytes).substr(0, size), "cut"); },
        "cannot read calibration statistics: cut");
  }
}

}  // namespace
}  // namespace espalier::quant
