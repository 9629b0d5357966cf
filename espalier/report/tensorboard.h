#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace espalier::report {

/// Counts over adjacent ranges: bucket i holds values in (limit[i-1], limit[i]].
struct EventHistogram {
  double minimum = 0;
  double maximum = 0;
  double count = 0;
  double sum = 0;
  double sum_of_squares = 0;
  std::span<const double> bucket_limits = {};
  std::span<const double> bucket_counts = {};  ///< as many as limits
};

struct EventWriterOptions {
  /// Events of this step or later that the folder already holds are superseded (a resumed run).
  /// Negative: a new run.
  std::int64_t resume_at_step = -1;
  /// Seconds since 1970; 0: the real clock. For tests.
  double wall_time = 0;
};

/// Writes TensorBoard event files (`events.out.tfevents.*`): records with masked CRC-32C around
/// `Event` messages. A resumed run appends to the newest file of the folder after cutting off a
/// record that a crash left unfinished. Not thread-safe.
class EventWriter {
 public:
  /// Makes the folder when missing. Throws UserError when the file cannot be opened.
  explicit EventWriter(const std::filesystem::path& folder, const EventWriterOptions& options = {});
  EventWriter(const EventWriter&) = delete;
  EventWriter& operator=(const EventWriter&) = delete;
  ~EventWriter();

  void add_scalar(std::string_view tag, double value, std::int64_t step);
  void add_histogram(std::string_view tag, const EventHistogram& histogram, std::int64_t step);
  /// Buckets made from the values: 64 of equal width between minimum and maximum.
  void add_histogram(std::string_view tag, std::span<const float> values, std::int64_t step);
  void add_text(std::string_view tag, std::string_view text, std::int64_t step);
  /// Hands everything to the operating system. Throws UserError when the disk is full.
  void flush();
  [[nodiscard]] const std::filesystem::path& path() const;

 private:
  class File;
  std::unique_ptr<File> file_;
};

}  // namespace espalier::report
