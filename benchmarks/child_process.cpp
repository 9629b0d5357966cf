#include "benchmarks/child_process.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "espalier/base/error.h"
#include "espalier/tensor/caching_allocator.h"

extern char** environ;

namespace espalier::benchmarks {
namespace {

[[noreturn]] void fail(const std::vector<std::string>& command, const std::string& got) {
  throw base::UserError(
      {.what = fmt::format("the measurement '{}' failed", fmt::join(command, " ")), .got = got});
}

/// Starts the command with its output in a pipe; gives the reading end.
int start(const std::vector<std::string>& command, pid_t& process) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) fail(command, "no pipe");
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  ::posix_spawn_file_actions_addclose(&actions, ends[0]);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int error =
      ::posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  if (error == 0) return ends[0];
  ::close(ends[0]);
  fail(command, "it cannot be started");
}

std::string read_all(int descriptor) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  ::close(descriptor);
  return text;
}

std::string last_line(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  const auto place = text.rfind('\n');
  return place == std::string::npos ? text : text.substr(place + 1);
}

double peak_mib() {
  std::ifstream file("/proc/self/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

}  // namespace

Numbers run_child(const std::vector<std::string>& command) {
  pid_t process = 0;
  const std::string output = read_all(start(command, process));
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string line = last_line(output);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) fail(command, line);
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) fail(command, line);
  Numbers numbers;
  for (const auto& [name, value] : json.items()) numbers[name] = value.get<double>();
  return numbers;
}

ChildOutcome try_child(const std::vector<std::string>& command) {
  try {
    return {.numbers = run_child(command)};
  } catch (const base::UserError& error) {
    return {.failure = error.what()};
  }
}

std::string child_result(Numbers numbers) {
  constexpr double kMiB = 1 << 20;
  const tensor::CachingStatistics tensors = tensor::caching_statistics();
  numbers["peak_mib"] = peak_mib();
  numbers["tensor_mib"] = static_cast<double>(tensors.peak_in_use) / kMiB;
  return nlohmann::json(numbers).dump();
}

std::filesystem::path own_program() {
  return std::filesystem::read_symlink("/proc/self/exe");
}

}  // namespace espalier::benchmarks
