#include "espalier/report/tensorboard.h"

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include "espalier/report/event_encoding.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::report {
namespace {

using kit::TemporaryFolder;

std::uint64_t read_number(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i > 0; --i) {
    value = value << 8 | static_cast<unsigned char>(bytes[i - 1]);
  }
  return value;
}

/// The records of a file, without their frames.
std::vector<std::string> records_of(const std::string& file) {
  EXPECT_EQ(whole_records(file), file.size());
  std::vector<std::string> records;
  for (std::size_t place = 0; place < file.size();) {
    const std::size_t length = read_number(std::string_view(file).substr(place, 8));
    records.push_back(file.substr(place + 12, length));
    place += length + 16;
  }
  return records;
}

std::string file_of(const EventWriter& writer) {
  std::FILE* file = std::fopen(writer.path().c_str(), "rb");
  std::string content(1 << 20, '\0');
  content.resize(std::fread(content.data(), 1, content.size(), file));
  std::fclose(file);
  return content;
}

constexpr double kTime = 1'700'000'000.5;

/// What every event of step 3 at kTime begins with.
WireWriter event_start(std::int64_t step) {
  WireWriter event;
  event.real64(1, kTime);
  event.varint(2, static_cast<std::uint64_t>(step));
  return event;
}

TEST(EventWriter, BeginsWithTheVersion) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path() / "run", {.wall_time = kTime});
  writer.flush();
  EXPECT_EQ(writer.path().filename(), "events.out.tfevents.1700000000.espalier.000");
  WireWriter version;
  version.real64(1, kTime);
  version.bytes(3, "brain.Event:2");
  EXPECT_THAT(records_of(file_of(writer)), testing::ElementsAre(version.text()));
}

TEST(EventWriter, WritesScalars) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), {.wall_time = kTime});
  writer.add_scalar("loss", 0.5, 3);
  writer.flush();
  const std::vector<std::string> records = records_of(file_of(writer));
  ASSERT_EQ(records.size(), 2U);
  // Summary { value { tag: "loss", simple_value: 0.5 } }
  const std::string expected =
      event_start(3).text() + "\x2a\x0d\x0a\x0b\x0a\x04loss\x15" + std::string("\0\0\0\x3f", 4);
  EXPECT_EQ(records[1], expected);
}

TEST(EventWriter, WritesHistograms) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), {.wall_time = kTime});
  std::vector<float> values{0, 1, 2, 64, std::nanf("")};
  writer.add_histogram("weights", values, 3);
  writer.add_histogram("nothing", std::vector<float>{std::nanf("")}, 3);
  writer.flush();
  const std::vector<std::string> records = records_of(file_of(writer));
  ASSERT_EQ(records.size(), 2U);
  std::vector<double> limits;
  std::vector<double> counts(64, 0);
  for (int i = 1; i <= 64; ++i) limits.push_back(i);
  counts[0] = 2;  // 0 and 1
  counts[1] = 1;
  counts[63] = 1;
  WireWriter histogram;
  histogram.real64(1, 0);
  histogram.real64(2, 64);
  histogram.real64(3, 4);
  histogram.real64(4, 67);
  histogram.real64(5, 1 + 4 + 64 * 64);
  histogram.packed(6, limits);
  histogram.packed(7, counts);
  EXPECT_THAT(records[1], testing::EndsWith(histogram.text()));
}

TEST(EventWriter, CountsEqualValuesInOneBucket) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), {.wall_time = kTime});
  writer.add_histogram("same", std::vector<float>(5, 2.0F), 1);
  writer.flush();
  const double limits[] = {2};
  const double counts[] = {5};
  WireWriter buckets;
  buckets.packed(6, limits);
  buckets.packed(7, counts);
  EXPECT_THAT(records_of(file_of(writer)).at(1), testing::EndsWith(buckets.text()));
}

TEST(EventWriter, WritesText) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), {.wall_time = kTime});
  writer.add_text("config", "lr: 0.1", 0);
  writer.flush();
  const std::string record = records_of(file_of(writer)).at(1);
  EXPECT_THAT(record, testing::HasSubstr("config"));
  EXPECT_THAT(record, testing::HasSubstr("\x42\x07lr: 0.1")) << "string_val";
  EXPECT_THAT(record, testing::HasSubstr("\x0a\x04text")) << "plugin name";
}

TEST(EventWriter, AppendsWhenARunIsResumed) {
  const TemporaryFolder folder;
  std::filesystem::path path;
  {
    EventWriter writer(folder.path(), {.wall_time = kTime});
    for (int step = 0; step < 5; ++step) writer.add_scalar("loss", step, step);
    path = writer.path();
  }
  // A crash in the middle of a record.
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 7);
  EventWriter writer(folder.path(), {.resume_at_step = 4, .wall_time = kTime});
  writer.add_scalar("loss", 40, 4);
  writer.flush();
  EXPECT_EQ(writer.path(), path);
  const std::vector<std::string> records = records_of(file_of(writer));
  ASSERT_EQ(records.size(), 1U + 4 + 1 + 1);
  // SessionLog { status: START } at step 4.
  EXPECT_EQ(records[5], event_start(4).text() + "\x3a\x02\x08\x01");
}

TEST(EventWriter, BeginsAFileWhenThereIsNothingToResume) {
  const TemporaryFolder folder;
  EventWriter writer(folder.path(), {.resume_at_step = 4, .wall_time = kTime});
  writer.flush();
  EXPECT_EQ(records_of(file_of(writer)).size(), 1U);
}

TEST(EventWriter, NeverWritesOverAnEarlierRun) {
  const TemporaryFolder folder;
  const EventWriter first(folder.path(), {.wall_time = kTime});
  const EventWriter second(folder.path(), {.wall_time = kTime});
  EXPECT_NE(first.path(), second.path());
}

TEST(EventWriter, SaysWhatItCannotWrite) {
  const TemporaryFolder folder;
  const std::string file = folder.write("file", "x");
  kit::expect_user_error([&] { EventWriter writer(file, {}); },
                         "cannot write the event file '" + file + "': got Not a directory");
}

}  // namespace
}  // namespace espalier::report
