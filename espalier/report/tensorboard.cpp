#include "espalier/report/tensorboard.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <optional>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/report/event_encoding.h"

namespace espalier::report {
namespace fs = std::filesystem;
namespace {

/// Field numbers of tensorflow.Event, Summary and what they hold (tensorflow/core/util/event.proto,
/// framework/summary.proto).
enum EventField { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
enum ValueField { kTag = 1, kSimpleValue = 2, kHistogram = 5, kTensor = 8, kMetadata = 9 };
enum HistogramField { kMinimum = 1, kMaximum, kCount, kSum, kSumOfSquares, kLimits, kBuckets };

constexpr std::string_view kPrefix = "events.out.tfevents.";

[[noreturn]] void fail(const fs::path& path, int error_number) {
  throw base::UserError({.what = fmt::format("cannot write the event file '{}'", path.string()),
                         .got = std::strerror(error_number),
                         .hint = error_number == ENOSPC ? "free some space" : ""});
}

/// The event file that was begun last, if the folder holds one.
std::optional<fs::path> newest_event_file(const fs::path& folder) {
  std::optional<fs::path> newest;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    // Names hold the time in ten digits, so their order is that of the files.
    if (name.starts_with(kPrefix) && (!newest || name > newest->filename().string()))
      newest = entry.path();
  }
  return newest;
}

/// A text to be shown by the text plugin: a string tensor of one element.
WireWriter text_tensor(std::string_view text) {
  constexpr std::uint64_t kString = 7;
  WireWriter dimension;
  dimension.varint(1, 1);
  WireWriter shape;
  shape.bytes(2, dimension.text());
  WireWriter tensor;
  tensor.varint(1, kString);
  tensor.bytes(2, shape.text());
  tensor.bytes(8, text);
  return tensor;
}

}  // namespace

class EventWriter::File {
 public:
  File(const fs::path& folder, const EventWriterOptions& options);
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (descriptor_ >= 0) {
      write_out(false);
      ::close(descriptor_);
    }
  }

  void add_value(const WireWriter& value, std::int64_t step) {
    WireWriter summary;
    summary.bytes(1, value.text());
    WireWriter event = begin_event(step);
    event.bytes(kSummary, summary.text());
    add(event);
  }

  void flush() { write_out(true); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  void create(const fs::path& folder);
  void append(std::int64_t step);

  [[nodiscard]] double wall_time() const {
    if (wall_time_ > 0) return wall_time_;
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }

  [[nodiscard]] WireWriter begin_event(std::int64_t step) const {
    WireWriter event;
    event.real64(kWallTime, wall_time());
    event.varint(kStep, static_cast<std::uint64_t>(step));
    return event;
  }

  void add(const WireWriter& event) {
    constexpr std::size_t kBuffer = 1 << 16;
    buffer_ += frame_record(event.text());
    if (buffer_.size() >= kBuffer) flush();
  }

  void write_out(bool report) {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
      const ssize_t count = ::write(descriptor_, rest.data(), rest.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && report) fail(path_, errno);
      if (count < 0) break;
      rest.remove_prefix(static_cast<std::size_t>(count));
    }
    buffer_.clear();
  }

  fs::path path_;
  double wall_time_ = 0;
  int descriptor_ = -1;
  std::string buffer_;
};

EventWriter::File::File(const fs::path& folder, const EventWriterOptions& options)
    : wall_time_(options.wall_time) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail(folder, error.value());
  const std::optional<fs::path> newest =
      options.resume_at_step >= 0 ? newest_event_file(folder) : std::nullopt;
  if (newest) {
    path_ = *newest;
    append(options.resume_at_step);
  } else {
    create(folder);
  }
}

void EventWriter::File::create(const fs::path& folder) {
  const auto seconds = static_cast<std::int64_t>(wall_time());
  for (int attempt = 0; descriptor_ < 0; ++attempt) {
    path_ = folder / fmt::format("{}{:010}.espalier.{:03}", kPrefix, seconds, attempt);
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor_ < 0 && (errno != EEXIST || attempt == 999)) fail(path_, errno);
  }
  WireWriter event;
  event.real64(kWallTime, wall_time());
  event.bytes(kFileVersion, "brain.Event:2");
  add(event);
}

void EventWriter::File::append(std::int64_t step) {
  const std::size_t whole = whole_records(base::read_file(path_));
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0 || ::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0) {
    const int error_number = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    fail(path_, error_number);
  }
  // A session that starts at this step makes readers drop what an earlier one wrote beyond it.
  constexpr std::uint64_t kStart = 1;
  WireWriter session;
  session.varint(1, kStart);
  WireWriter event = begin_event(step);
  event.bytes(kSessionLog, session.text());
  add(event);
}

EventWriter::EventWriter(const fs::path& folder, const EventWriterOptions& options)
    : file_(std::make_unique<File>(folder, options)) {}

EventWriter::~EventWriter() = default;

void EventWriter::add_scalar(std::string_view tag, double value, std::int64_t step) {
  WireWriter entry;
  entry.bytes(kTag, tag);
  entry.real32(kSimpleValue, static_cast<float>(value));
  file_->add_value(entry, step);
}

void EventWriter::add_histogram(std::string_view tag, const EventHistogram& histogram,
                                std::int64_t step) {
  WireWriter content;
  content.real64(kMinimum, histogram.minimum);
  content.real64(kMaximum, histogram.maximum);
  content.real64(kCount, histogram.count);
  content.real64(kSum, histogram.sum);
  content.real64(kSumOfSquares, histogram.sum_of_squares);
  content.packed(kLimits, histogram.bucket_limits);
  content.packed(kBuckets, histogram.bucket_counts);
  WireWriter entry;
  entry.bytes(kTag, tag);
  entry.bytes(kHistogram, content.text());
  file_->add_value(entry, step);
}

void EventWriter::add_histogram(std::string_view tag, std::span<const float> values,
                                std::int64_t step) {
  constexpr std::size_t kBucketCount = 64;
  EventHistogram histogram{.minimum = std::numeric_limits<double>::infinity(),
                           .maximum = -std::numeric_limits<double>::infinity()};
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    histogram.minimum = std::min(histogram.minimum, double{value});
    histogram.maximum = std::max(histogram.maximum, double{value});
    histogram.count += 1;
    histogram.sum += value;
    histogram.sum_of_squares += double{value} * value;
  }
  if (histogram.count == 0) return;
  const double width = (histogram.maximum - histogram.minimum) / kBucketCount;
  std::array<double, kBucketCount> limits{};
  std::array<double, kBucketCount> counts{};
  for (std::size_t i = 0; i < kBucketCount; ++i) {
    limits[i] = i + 1 == kBucketCount ? histogram.maximum
                                      : histogram.minimum + width * static_cast<double>(i + 1);
  }
  for (const float value : values) {
    if (!std::isfinite(value)) continue;
    const auto place = std::ranges::lower_bound(limits, double{value}) - limits.begin();
    counts[std::min(static_cast<std::size_t>(place), kBucketCount - 1)] += 1;
  }
  // Equal values: a single bucket, for one without width would be counted twice.
  const std::size_t used = width > 0 ? kBucketCount : 1;
  histogram.bucket_limits = std::span(limits).first(used);
  histogram.bucket_counts = std::span(counts).first(used);
  add_histogram(tag, histogram, step);
}

void EventWriter::add_text(std::string_view tag, std::string_view text, std::int64_t step) {
  WireWriter plugin;
  plugin.bytes(1, "text");
  WireWriter metadata;
  metadata.bytes(1, plugin.text());
  WireWriter entry;
  entry.bytes(kTag, tag);
  entry.bytes(kTensor, text_tensor(text).text());
  entry.bytes(kMetadata, metadata.text());
  file_->add_value(entry, step);
}

void EventWriter::flush() {
  file_->flush();
}

const fs::path& EventWriter::path() const {
  return file_->path();
}

}  // namespace espalier::report
