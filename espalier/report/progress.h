#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

namespace espalier::report {

/// How progress is shown.
enum class ProgressStyle {
  Auto,   ///< Bar on a terminal, Lines otherwise
  Bar,    ///< one line, redrawn at most 10 times a second
  Lines,  ///< a plain line at most every 10 seconds, and at the end
  Quiet,  ///< nothing
};

struct ProgressOptions {
  std::string title;         ///< "calibrate", "epoch 3/10"
  std::int64_t total = 0;    ///< units of work; 0 when unknown
  std::string unit = "it";   ///< "images", "batches"
  std::int64_t initial = 0;  ///< units that were finished before (a resumed run)
  ProgressStyle style = ProgressStyle::Auto;
  std::FILE* stream = stderr;
  /// Seconds on a steady clock; for tests. Empty: the real clock.
  std::function<double()> clock = {};
  /// Columns of the terminal; 0: ask it.
  int columns = 0;
};

/// Shows how far a long job is: bar, percentage, rate, time left. Cheap enough to call for every
/// image. Not thread-safe.
class Progress {
 public:
  explicit Progress(ProgressOptions options);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Ends the line without claiming that the work is done.
  ~Progress();

  /// `done` units are finished; `detail` is short text such as "loss 0.31".
  void update(std::int64_t done, std::string_view detail = {});
  /// All done: draws the end state with the total time and starts a new line.
  void finish(std::string_view detail = {});
  /// Removes the bar from the terminal so that a log line can be written; the next update draws
  /// it again.
  void clear();

 private:
  [[nodiscard]] double now() const;
  [[nodiscard]] std::string line(double elapsed, std::string_view detail) const;
  [[nodiscard]] std::string bar_line(double elapsed, std::string_view detail) const;
  void draw_bar(const std::string& text);
  void print(const std::string& text);

  ProgressOptions options_;
  double start_ = 0;
  double last_draw_ = 0;
  std::int64_t done_ = 0;
  bool drawn_ = false;  ///< a bar stands on the terminal's last line
  bool finished_ = false;
};

}  // namespace espalier::report
