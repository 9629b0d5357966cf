// espalier_bench: measures the ratios that docs/results.md reports, prints a table, writes
// bench.json. Runs without network and writes nothing else but temporary files.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "benchmarks/suite.h"
#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/base/log.h"
#include "espalier/deploy/cpu.h"
#include "espalier/tensor/caching_allocator.h"

namespace espalier::benchmarks {
namespace {

constexpr std::string_view kHelp =
    "espalier_bench [--only PREFIX]... [--threads N] [--output bench.json] [--quick]\n"
    "Measures this build against its targets. A missed target does not change the exit code.\n";

struct Arguments {
  std::vector<std::string> only;
  std::string output = "bench.json";
  SuiteOptions suite = {};
};

const std::string& value_of(std::span<const std::string> words, std::size_t& index) {
  if (index + 1 >= words.size()) {
    throw base::UserError(fmt::format("'{}' needs a value", words[index]));
  }
  return words[++index];
}

int positive(const std::string& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1) {
    throw base::UserError(fmt::format("bad number: got '{}', expected 1 or more", text));
  }
  return value;
}

Arguments parse(std::span<const std::string> words) {
  Arguments arguments;
  arguments.suite.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  for (std::size_t index = 0; index < words.size(); ++index) {
    const std::string& word = words[index];
    if (word == "--only") {
      arguments.only.push_back(value_of(words, index));
    } else if (word == "--threads") {
      arguments.suite.threads = positive(value_of(words, index));
    } else if (word == "--output") {
      arguments.output = value_of(words, index);
    } else if (word == "--quick") {
      arguments.suite.quick = true;
    } else {
      throw base::UserError(
          {.what = "unknown argument", .got = fmt::format("'{}'", word), .hint = "see --help"});
    }
  }
  return arguments;
}

std::vector<Row> run_suite(const Arguments& arguments) {
  std::vector<Row> rows;
  for (const Benchmark& benchmark : benchmarks()) {
    const bool wanted = arguments.only.empty() ||
                        std::ranges::any_of(arguments.only, [&](const std::string& prefix) {
                          return benchmark.name.starts_with(prefix);
                        });
    if (!wanted) continue;
    base::log_info("measuring {}", benchmark.name);
    std::vector<Row> measured = benchmark.run(arguments.suite);
    rows.insert(rows.end(), measured.begin(), measured.end());
  }
  if (rows.empty()) {
    std::vector<std::string_view> names;
    for (const Benchmark& benchmark : benchmarks()) names.push_back(benchmark.name);
    throw base::UserError(
        {.what = "nothing to measure by that name",
         .got = fmt::format("{}", fmt::join(arguments.only, ", ")),
         .expected = fmt::format("the beginning of one of {}", fmt::join(names, ", "))});
  }
  return rows;
}

int run_child_mode(std::span<const std::string> words) {
  if (words.empty()) throw base::UserError("'--child' needs a name");
  for (const Child& child : children()) {
    if (child.name != words[0]) continue;
    fmt::print("{}\n", child_result(child.run(words.subspan(1))));
    return 0;
  }
  throw base::UserError(fmt::format("no measurement '{}'", words[0]));
}

int run(std::span<const std::string> words) {
  if (!words.empty() && words[0] == "--help") {
    fmt::print("{}", kHelp);
    return 0;
  }
  if (!words.empty() && words[0] == "--child") return run_child_mode(words.subspan(1));
  const Arguments arguments = parse(words);
  const std::vector<Row> rows = run_suite(arguments);
  fmt::print("{}\n{}", deploy::describe(deploy::cpu_features()) + "\n", to_table(rows));
  base::write_file_atomic(arguments.output, to_json(rows));
  fmt::print("written: {}\n", arguments.output);
  return 0;
}

}  // namespace
}  // namespace espalier::benchmarks

int main(int count, char** words) {
  try {
    espalier::tensor::install_caching_allocator();  // as the program does
    return espalier::benchmarks::run(std::vector<std::string>(words + 1, words + count));
  } catch (const espalier::base::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return static_cast<int>(error.exit_code());
  }
}
