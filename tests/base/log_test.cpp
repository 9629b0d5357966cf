#include "espalier/base/log.h"

#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::base {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Every test ends with the process's first settings.
class LogTest : public testing::Test {
 protected:
  ~LogTest() override {
    set_log_file("");
    set_log_level(LogLevel::Info);
  }
  kit::TemporaryFolder folder_;
};

/// What `action` writes to standard error.
template <typename Action>
std::string terminal_of(const Action& action) {
  testing::internal::CaptureStderr();
  action();
  return testing::internal::GetCapturedStderr();
}

TEST_F(LogTest, TheLevelDecidesWhatTheTerminalShows) {
  const auto all = [] {
    log_debug("d{}", 1);
    log_info("i{}", 2);
    log_warning("w{}", 3);
    log_line(LogLevel::Error, "e4");
  };
  std::string text = terminal_of(all);
  EXPECT_THAT(text, HasSubstr("info: i2\n"));
  EXPECT_THAT(text, HasSubstr("warning: w3\n"));
  EXPECT_THAT(text, HasSubstr("error: e4\n"));
  EXPECT_THAT(text, Not(HasSubstr("d1")));
  set_log_level(LogLevel::Debug);
  EXPECT_THAT(terminal_of(all), HasSubstr("debug: d1\n"));
  set_log_level(LogLevel::Error);
  text = terminal_of(all);
  EXPECT_THAT(text, Not(HasSubstr("w3")));
  EXPECT_THAT(text, HasSubstr("e4"));
  set_log_level(LogLevel::Off);
  EXPECT_EQ(terminal_of(all), "");
}

TEST_F(LogTest, SomeWarningsComeOnce) {
  const auto twice = [] {
    log_warning_once("a picture is broken");
    log_warning_once("a picture is broken");
  };
  EXPECT_EQ(terminal_of(twice), "warning: a picture is broken\n");
  EXPECT_EQ(terminal_of(twice), "");
  EXPECT_EQ(terminal_of([] { log_warning_once("another"); }), "warning: another\n");
}

TEST_F(LogTest, TheFileGetsInfoAndAboveWhateverTheTerminalShows) {
  set_log_level(LogLevel::Off);
  set_log_file(folder_.file("log.txt"));
  log_debug("hidden");
  log_info("first");
  log_warning("second");
  set_log_file("");
  log_info("after the end");
  const std::string text = folder_.read("log.txt");
  EXPECT_THAT(text, HasSubstr("info: first\n"));
  EXPECT_THAT(text, HasSubstr("warning: second\n"));
  EXPECT_THAT(text, Not(HasSubstr("hidden")));
  EXPECT_THAT(text, Not(HasSubstr("after the end")));
}

TEST_F(LogTest, TheFileIsAppendedTo) {
  set_log_level(LogLevel::Off);
  folder_.write("log.txt", "before\n");
  set_log_file(folder_.file("log.txt"));
  log_info("later");
  set_log_file("");
  EXPECT_THAT(folder_.read("log.txt"), testing::StartsWith("before\n"));
}

TEST_F(LogTest, AFileThatCannotBeOpenedIsNamed) {
  folder_.write("file", "");
  const std::string path = folder_.file("file/log.txt");
  kit::expect_user_error([&] { set_log_file(path); }, "cannot write the log file '" + path + "'");
}

TEST_F(LogTest, LinesOfSeveralThreadsStayWhole) {
  set_log_level(LogLevel::Off);
  set_log_file(folder_.file("log.txt"));
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([number] {
      for (int line = 0; line < 100; ++line) log_info("<{}:{}>", number, line);
    });
  }
  for (std::thread& thread : threads) thread.join();
  set_log_file("");
  const std::string text = folder_.read("log.txt");
  for (int number = 0; number < 4; ++number) {
    for (int line = 0; line < 100; ++line) {
      EXPECT_THAT(text, HasSubstr(fmt::format("info: <{}:{}>\n", number, line)));
    }
  }
}

}  // namespace
}  // namespace espalier::base
