// A run that is killed or interrupted goes on where it was: with real processes and signals.
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

#include <gtest/gtest.h>

#include "espalier/base/random.h"
#include "tests/kit/temporary_folder.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace espalier::train {
namespace {

using std::chrono::milliseconds;

constexpr const char* kFinal = "step-00000012.espalier";

/// What the driver trains: see train_driver.cpp.
struct Task {
  const char* kind;
  int pause_milliseconds = 0;
};

pid_t start(const std::string& folder, const Task& task) {
  const std::string pause = std::to_string(task.pause_milliseconds);
  std::string program = ESPALIER_TRAIN_DRIVER;
  std::vector<char*> arguments{program.data(), const_cast<char*>(folder.c_str()),
                               const_cast<char*>(pause.c_str()), const_cast<char*>(task.kind),
                               nullptr};
  pid_t process = 0;
  EXPECT_EQ(::posix_spawn(&process, program.c_str(), nullptr, nullptr, arguments.data(), environ),
            0);
  return process;
}

/// Exit code, or 128 + the signal that ended it.
int wait_for(pid_t process) {
  int status = 0;
  EXPECT_EQ(::waitpid(process, &status, 0), process);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// Waits until the folder holds a checkpoint (the process is past starting up), at most a minute.
bool wait_for_checkpoint(const kit::TemporaryFolder& folder) {
  for (int round = 0; round < 6000; ++round) {
    for (const std::string& name : folder.files()) {
      if (name.starts_with("step-") && name.ends_with(".espalier")) return true;
    }
    std::this_thread::sleep_for(milliseconds(10));
  }
  return false;
}

std::string unbroken_bytes(const char* kind) {
  const kit::TemporaryFolder folder;
  EXPECT_EQ(wait_for(start(folder.path().string(), {.kind = kind})), 0);
  return folder.read(kFinal);
}

TEST(Kill, AKilledRunEndsWithTheSameBytes) {
  const std::string expected = unbroken_bytes("elaborate");
  ASSERT_FALSE(expected.empty());
  const kit::TemporaryFolder folder;
  base::Random random(static_cast<std::uint64_t>(::getpid()));
  for (int round = 0; round < 3; ++round) {
    const pid_t process =
        start(folder.path().string(), {.kind = "elaborate", .pause_milliseconds = 20});
    EXPECT_TRUE(wait_for_checkpoint(folder));
    std::this_thread::sleep_for(milliseconds(random.below(250)));
    ::kill(process, SIGKILL);
    const int code = wait_for(process);
    EXPECT_TRUE(code == 128 + SIGKILL || code == 0) << code;
  }
  EXPECT_EQ(wait_for(start(folder.path().string(), {.kind = "elaborate"})), 0);
  EXPECT_EQ(folder.read(kFinal), expected);
  EXPECT_EQ(folder.files().size(), 3U) << "best and two steps: no leftovers";
}

TEST(Kill, AnInterruptedRunSavesAndExitsWith130) {
  const std::string expected = unbroken_bytes("plain");
  const kit::TemporaryFolder folder;
  const pid_t process = start(folder.path().string(), {.kind = "plain", .pause_milliseconds = 100});
  EXPECT_TRUE(wait_for_checkpoint(folder));
  ::kill(process, SIGTERM);
  EXPECT_EQ(wait_for(process), 130);
  EXPECT_EQ(wait_for(start(folder.path().string(), {.kind = "plain"})), 0);
  EXPECT_EQ(folder.read(kFinal), expected);
}

}  // namespace
}  // namespace espalier::train
