#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace espalier::benchmarks {

/// What a measurement in a process of its own gives: named numbers.
using Numbers = std::map<std::string, double>;

/// Runs a program and reads the last line of its output: a JSON object of numbers. Throws UserError
/// when it fails, with the end of what it printed.
[[nodiscard]] Numbers run_child(const std::vector<std::string>& command);

/// What run_child gives, or why it failed.
struct ChildOutcome {
  Numbers numbers = {};
  std::string failure = {};  ///< empty: it did not
};
[[nodiscard]] ChildOutcome try_child(const std::vector<std::string>& command);

/// The line that run_child reads, with "peak_mib" (peak resident memory of this process, VmHWM)
/// added.
[[nodiscard]] std::string child_result(Numbers numbers);

/// The running program, and the folder it lies in.
[[nodiscard]] std::filesystem::path own_program();

}  // namespace espalier::benchmarks
