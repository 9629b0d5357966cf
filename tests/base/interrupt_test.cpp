#include "espalier/base/interrupt.h"

#include <csignal>
#include <cstdlib>

#include <gtest/gtest.h>

#include "espalier/base/error.h"

namespace espalier::base {
namespace {

// Each case runs in a process of its own: signals cannot be taken back.

TEST(Interrupt, NothingIsPendingAtFirst) {
  EXPECT_FALSE(interrupted());
  EXPECT_NO_THROW(stop_if_interrupted());
}

[[noreturn]] void stop_after(int signal) {
  watch_interrupts();
  std::raise(signal);
  if (!interrupted()) std::_Exit(1);
  try {
    stop_if_interrupted();
  } catch (const Interrupted& stop) {
    std::_Exit(static_cast<int>(stop.exit_code()));
  }
  std::_Exit(2);
}

TEST(InterruptDeathTest, ASignalSetsTheFlagAndStops) {
  EXPECT_EXIT(stop_after(SIGINT), testing::ExitedWithCode(130), "");
  EXPECT_EXIT(stop_after(SIGTERM), testing::ExitedWithCode(130), "");
}

TEST(InterruptDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(
      {
        watch_interrupts();
        std::raise(SIGINT);
        std::raise(SIGTERM);
        std::_Exit(0);
      },
      testing::ExitedWithCode(130), "");
}

}  // namespace
}  // namespace espalier::base
