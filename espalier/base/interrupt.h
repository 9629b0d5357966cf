#pragma once

namespace espalier::base {

/// Makes SIGINT and SIGTERM set a flag instead of ending the process; a second signal ends it at
/// once with exit code 130.
void watch_interrupts();

/// True once a signal has arrived. Long loops ask between units of work, save, and throw
/// Interrupted.
[[nodiscard]] bool interrupted() noexcept;

/// Throws Interrupted when a signal has arrived.
void stop_if_interrupted();

}  // namespace espalier::base
