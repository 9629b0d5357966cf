#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace espalier::base {

enum class LogLevel { Debug, Info, Warning, Error, Off };

/// Sets the lowest level that reaches the terminal (standard error). Default: Info.
void set_log_level(LogLevel level);

/// Also appends every line of level Info or above, with time, to the file until the next call; an
/// empty path ends it. Throws UserError when the file cannot be opened.
void set_log_file(const std::string& path);

/// Writes one line. Thread-safe.
void log_line(LogLevel level, std::string_view text);

template <typename... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::Info, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::Warning, fmt::format(format, std::forward<Args>(args)...));
}

/// A warning, unless this process has given the same one before. Thread-safe.
void log_warning_once(const std::string& text);

template <typename... Args>
void log_debug(fmt::format_string<Args...> format, Args&&... args) {
  log_line(LogLevel::Debug, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace espalier::base
