#include "espalier/report/progress.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "espalier/report/number_format.h"

namespace espalier::report {
namespace {

constexpr double kBarSeconds = 0.1;
constexpr double kLineSeconds = 10;

int terminal_columns(std::FILE* stream) {
  winsize size{};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

bool speaks_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr || *value == '\0') continue;
    const std::string_view text(value);
    return text.find("UTF-8") != std::string_view::npos ||
           text.find("utf8") != std::string_view::npos;
  }
  return false;
}

/// "[=====>    ]" or its counterpart in box characters.
std::string draw_track(double share, int width) {
  const int full = std::clamp(static_cast<int>(share * width), 0, width);
  std::string track;
  const bool fine = speaks_utf8();
  for (int i = 0; i < width; ++i) {
    if (fine) {
      track += i < full ? "\u2588" : "\u2591";
    } else {
      track += i < full ? '=' : i == full ? '>' : ' ';
    }
  }
  return fine ? track : "[" + track + "]";
}

/// Cuts a text to `width` columns, byte by byte from the end but never inside a character.
std::string fit(std::string text, std::size_t width) {
  while (display_width(text) > width) {
    while (text.size() > 1 && (static_cast<unsigned char>(text.back()) & 0xC0) == 0x80) {
      text.pop_back();
    }
    text.pop_back();
  }
  return text;
}

}  // namespace

Progress::Progress(ProgressOptions options)
    : options_(std::move(options)), done_(options_.initial) {
  if (options_.style == ProgressStyle::Auto) {
    options_.style =
        ::isatty(::fileno(options_.stream)) != 0 ? ProgressStyle::Bar : ProgressStyle::Lines;
  }
  start_ = now();
  last_draw_ = options_.style == ProgressStyle::Bar ? start_ - 1 : start_;
}

Progress::~Progress() {
  if (drawn_ && !finished_) print("\n");
}

double Progress::now() const {
  if (options_.clock) return options_.clock();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Progress::update(std::int64_t done, std::string_view detail) {
  done_ = done;
  if (options_.style == ProgressStyle::Quiet || finished_) return;
  const double time = now();
  const bool bar = options_.style == ProgressStyle::Bar;
  if (time - last_draw_ < (bar ? kBarSeconds : kLineSeconds)) return;
  last_draw_ = time;
  if (bar) {
    draw_bar(bar_line(time - start_, detail));
  } else {
    print(line(time - start_, detail) + "\n");
  }
}

void Progress::finish(std::string_view detail) {
  if (finished_) return;
  finished_ = true;
  if (options_.style == ProgressStyle::Quiet) return;
  if (options_.total > 0) done_ = options_.total;
  const double elapsed = now() - start_;
  std::string text = fmt::format("{}: {} {} in {}", options_.title, done_, options_.unit,
                                 format_duration(elapsed));
  const auto fresh = static_cast<double>(done_ - options_.initial);
  if (elapsed > 0 && fresh > 0) text += fmt::format(" ({}/s)", format_count(fresh / elapsed));
  if (!detail.empty()) text += fmt::format("  {}", detail);
  clear();
  print(text + "\n");
}

void Progress::clear() {
  if (!drawn_) return;
  print("\r\033[K");
  drawn_ = false;
}

/// "3/12 images  120/s  4.2 s left  loss 0.31", after the title or the bar.
std::string Progress::line(double elapsed, std::string_view detail) const {
  std::string text = options_.style == ProgressStyle::Bar ? "" : options_.title + ": ";
  text += options_.total > 0 ? fmt::format("{}/{} {}", done_, options_.total, options_.unit)
                             : fmt::format("{} {}", done_, options_.unit);
  const auto fresh = static_cast<double>(done_ - options_.initial);
  if (elapsed > 0 && fresh > 0) {
    text += fmt::format("  {}/s", format_count(fresh / elapsed));
    if (options_.total > done_) {
      const double left = static_cast<double>(options_.total - done_) * elapsed / fresh;
      text += fmt::format("  {} left", format_duration(left));
    }
  }
  if (!detail.empty()) text += fmt::format("  {}", detail);
  return text;
}

std::string Progress::bar_line(double elapsed, std::string_view detail) const {
  const int columns = options_.columns > 0 ? options_.columns : terminal_columns(options_.stream);
  const std::string facts = line(elapsed, detail);
  std::string text = options_.title;
  if (options_.total > 0) {
    const double share =
        std::clamp(static_cast<double>(done_) / static_cast<double>(options_.total), 0.0, 1.0);
    const auto used = static_cast<int>(display_width(options_.title) + display_width(facts)) + 13;
    const int width = std::clamp(columns - used, 8, 40);
    text += fmt::format("  {} {:3.0f} %", draw_track(share, width), 100 * share);
  }
  // The last column stays free: some terminals would start a new line.
  return fit(text + "  " + facts, static_cast<std::size_t>(std::max(columns - 1, 1)));
}

void Progress::draw_bar(const std::string& text) {
  print("\r" + text + "\033[K");
  drawn_ = true;
}

void Progress::print(const std::string& text) {
  (void)std::fputs(text.c_str(), options_.stream);
  (void)std::fflush(options_.stream);
}

}  // namespace espalier::report
