#include "espalier/base/log.h"

#include <memory>
#include <mutex>
#include <set>

#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "espalier/base/error.h"

namespace espalier::base {
namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warning:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
    case LogLevel::Off:
      return spdlog::level::off;
  }
  return spdlog::level::off;
}

/// The terminal sink and, while a run writes its log, a file sink. The one place with shared state
/// of the process, because the terminal itself is one.
struct Sinks {
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<spdlog::sinks::stderr_color_sink_mt> terminal;
  std::mutex mutex;
  std::set<std::string, std::less<>> warnings;  ///< those of log_warning_once

  Sinks() : terminal(std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    terminal->set_pattern("%^%l%$: %v");
    logger = std::make_shared<spdlog::logger>("espalier", terminal);
    logger->set_level(spdlog::level::trace);
    terminal->set_level(spdlog::level::info);
  }
};

Sinks& sinks() {
  static Sinks instance;
  return instance;
}

}  // namespace

void set_log_level(LogLevel level) {
  sinks().terminal->set_level(to_spdlog(level));
}

void set_log_file(const std::string& path) {
  auto& targets = sinks().logger->sinks();
  targets.resize(1);
  if (path.empty()) return;
  try {
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path);
    file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
    file->set_level(spdlog::level::info);
    targets.push_back(std::move(file));
  } catch (const spdlog::spdlog_ex& problem) {
    throw UserError({.what = fmt::format("cannot write the log file '{}'", path),
                     .got = problem.what(),
                     .hint = "choose a writable folder with -o"});
  }
  sinks().logger->flush_on(spdlog::level::info);
}

void log_line(LogLevel level, std::string_view text) {
  sinks().logger->log(to_spdlog(level), text);
}

void log_warning_once(const std::string& text) {
  Sinks& state = sinks();
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    if (!state.warnings.insert(text).second) return;
  }
  log_line(LogLevel::Warning, text);
}

}  // namespace espalier::base
