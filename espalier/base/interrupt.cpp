#include "espalier/base/interrupt.h"

#include <csignal>
#include <unistd.h>

#include "espalier/base/error.h"

namespace espalier::base {
namespace {

volatile std::sig_atomic_t signal_count = 0;

void on_signal(int) {
  if (signal_count != 0) ::_exit(static_cast<int>(ExitCode::Interrupted));
  signal_count = 1;
}

}  // namespace

void watch_interrupts() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A file beyond the user's limit is an error of the write then, like a full disk.
  ::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() noexcept {
  return signal_count != 0;
}

void stop_if_interrupted() {
  if (interrupted()) throw Interrupted("stopped by a signal");
}

}  // namespace espalier::base
