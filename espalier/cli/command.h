#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "espalier/base/error.h"

namespace CLI {
class App;  // CLI11, whose header is heavy
}

namespace espalier::cli {

/// Options that every command has.
struct CommonOptions {
  std::uint64_t seed = 0;
  int threads = 0;        ///< 0: one per core
  bool json = false;      ///< one machine-readable line last, on standard output
  int verbosity = 0;      ///< -1 quiet, 0 normal, 1 verbose
  std::string line = {};  ///< the command as it was given, quoted for a shell
};

/// What a command did: its exit code and, for --json, its facts as one line of JSON, an object.
/// The program puts `ok` and `exit_code` in front of them.
struct Outcome {
  base::ExitCode code = base::ExitCode::Ok;
  std::string json = "{}";
};

using RunCommand = std::function<Outcome(const CommonOptions&)>;

/// A subcommand: `add` declares its options and returns what runs once they are parsed.
struct Command {
  std::string_view name;
  std::string_view summary;
  RunCommand (*add)(CLI::App& app);
};

/// The table of subcommands (cli/table.cpp), in the order of the help text.
[[nodiscard]] std::span<const Command> commands();

/// Parses the command line, runs the command, prints errors; the exit code of the program.
[[nodiscard]] int run_program(int argc, const char* const* argv);

}  // namespace espalier::cli
