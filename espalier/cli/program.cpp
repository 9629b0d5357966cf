#include <algorithm>
#include <cstdio>
#include <exception>
#include <iostream>
#include <system_error>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <CLI/CLI.hpp>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "espalier/base/interrupt.h"
#include "espalier/base/log.h"
#include "espalier/base/name_match.h"
#include "espalier/cli/arguments.h"
#include "espalier/cli/command.h"
#include "espalier/report/json.h"
#include "espalier/tensor/caching_allocator.h"

namespace espalier::cli {
namespace {

using base::ExitCode;

void add_common(CLI::App& app, CommonOptions& common, int& verbose, bool& quiet) {
  app.add_option("--seed", common.seed, "Seed of everything random")
      ->check(seed_number())
      ->default_str(app.get_name() == "train" ? "the recipe's" : "0");
  app.add_option("--threads", common.threads, "Threads (default: one per core)")
      ->check(CLI::Range(1, 1024));
  app.add_flag("--json", common.json, "Print one machine-readable line last");
  CLI::Option* more = app.add_flag("-v,--verbose", verbose, "Print more");
  app.add_flag("-q,--quiet", quiet, "Print warnings and errors only")->excludes(more);
}

void apply_common(CommonOptions& common, bool verbose, bool quiet) {
  common.verbosity = quiet ? -1 : (verbose ? 1 : 0);
  if (common.threads == 0) {
    common.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  }
  at::set_num_threads(common.threads);
  base::set_log_level(quiet     ? base::LogLevel::Warning
                      : verbose ? base::LogLevel::Debug
                                : base::LogLevel::Info);
}

/// The first word that is no option and no command, with the nearest command.
std::string unknown_command(int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return {};
  std::vector<std::string> names;
  for (const Command& command : commands()) names.emplace_back(command.name);
  if (std::ranges::find(names, argv[1]) != names.end()) return {};
  return fmt::format("unknown command '{}' ({})", argv[1], base::suggest_name(argv[1], names));
}

/// The last line of --json: what every command says, then the command's own facts.
std::string json_line(ExitCode code, std::string_view facts) {
  std::string line =
      fmt::format("{{\"ok\":{},\"exit_code\":{}", code == ExitCode::Ok, static_cast<int>(code));
  facts.remove_prefix(1);
  if (facts != "}") line += ',';
  return line.append(facts);
}

int report_error(ExitCode code, const char* text, const CommonOptions& common) {
  std::fflush(stdout);
  fmt::print(stderr, "error: {}\n", text);
  if (common.json) {
    using report::Json;
    const Json facts = Json::object({{"error", Json::object({{"message", text}})}});
    fmt::print("{}\n", json_line(code, report::to_text(facts, -1)));
  }
  return static_cast<int>(code);
}

/// libtorch's messages go on with the place in its sources.
std::string first_line(std::string_view text) {
  return std::string(text.substr(0, text.find('\n')));
}

int run_guarded(const RunCommand& run, const CommonOptions& common) {
  try {
    const Outcome outcome = run(common);
    std::fflush(stderr);
    if (common.json) fmt::print("{}\n", json_line(outcome.code, outcome.json));
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      fmt::print(stderr, "error: cannot write the standard output\n");
      return static_cast<int>(ExitCode::UserError);
    }
    return static_cast<int>(outcome.code);
  } catch (const base::Error& problem) {
    return report_error(problem.exit_code(), problem.what(), common);
  } catch (const std::bad_alloc&) {
    return report_error(ExitCode::UserError, "out of memory (use a smaller batch or model)",
                        common);
  } catch (const c10::OutOfMemoryError& problem) {
    const std::string text = fmt::format("{} (use a smaller batch, image or model)",
                                         first_line(problem.what_without_backtrace()));
    return report_error(ExitCode::UserError, text.c_str(), common);
  } catch (const c10::Error& problem) {
    const std::string text =
        fmt::format("internal error: {}", first_line(problem.what_without_backtrace()));
    return report_error(ExitCode::Internal, text.c_str(), common);
  } catch (const std::system_error& problem) {
    // fmt's own complaint when a stream takes no more.
    if (std::ferror(stdout) == 0) {
      return report_error(ExitCode::Internal,
                          fmt::format("internal error: {}", problem.what()).c_str(), common);
    }
    fmt::print(stderr, "error: cannot write the standard output: {}\n", problem.code().message());
    return static_cast<int>(ExitCode::UserError);
  } catch (const std::exception& problem) {
    const std::string text = fmt::format("internal error: {}", problem.what());
    return report_error(ExitCode::Internal, text.c_str(), common);
  }
}

}  // namespace

int run_program(int argc, const char* const* argv) {
  CLI::App app{"Espalier: convolutional networks made small and fast, proven in the engine.",
               "espalier"};
  app.require_subcommand(1);
  app.set_version_flag("--version", ESPALIER_VERSION);
  const std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  CommonOptions common{.line = command_line(words)};
  int verbose = 0;
  bool quiet = false;
  std::vector<std::pair<CLI::App*, RunCommand>> entries;
  for (const Command& command : commands()) {
    CLI::App* entry = app.add_subcommand(std::string(command.name), std::string(command.summary));
    entries.emplace_back(entry, command.add(*entry));
    add_common(*entry, common, verbose, quiet);
  }
  if (const std::string unknown = unknown_command(argc, argv); !unknown.empty()) {
    common.json = std::ranges::find(words, "--json") != words.end();
    return report_error(ExitCode::UserError, unknown.c_str(), common);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (problem.get_exit_code() == 0) return app.exit(problem);
    common.json = std::ranges::find(words, "--json") != words.end();
    return report_error(ExitCode::UserError, problem.what(), common);
  }
  tensor::install_caching_allocator();
  base::watch_interrupts();
  apply_common(common, verbose > 0, quiet);
  for (const auto& [entry, run] : entries) {
    if (entry->parsed()) return run_guarded(run, common);
  }
  return static_cast<int>(ExitCode::Internal);
}

}  // namespace espalier::cli
