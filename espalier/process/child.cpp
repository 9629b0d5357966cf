#include "espalier/process/child.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"

extern char** environ;

namespace espalier::process {
namespace {

[[noreturn]] void fail(const std::string& program, int error_number) {
  throw base::UserError({.what = fmt::format("cannot start the program '{}'", program),
                         .got = std::strerror(error_number)});
}

void close_if_open(int& descriptor) {
  if (descriptor >= 0) ::close(descriptor);
  descriptor = -1;
}

/// Starts a program on these ends; its process id.
pid_t spawn(const std::vector<std::string>& command, int input, int output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process = -1;
  const int error =
      ::posix_spawn(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) fail(command[0], error);
  return process;
}

}  // namespace

Child::Child(const std::vector<std::string>& command) {
  base::invariant(!command.empty(), "a child needs a program");
  std::array<int, 2> input{};
  std::array<int, 2> output{};
  // A socket, since writing to one whose reader is gone can be told not to raise SIGPIPE.
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, input.data()) != 0) {
    fail(command[0], errno);
  }
  input_ = input[0];
  if (::pipe2(output.data(), O_CLOEXEC) != 0) {
    const int error_number = errno;
    ::close(input[1]);
    close_if_open(input_);
    fail(command[0], error_number);
  }
  output_ = output[0];
  try {
    process_ = spawn(command, input[1], output[1]);
  } catch (...) {
    ::close(input[1]);
    ::close(output[1]);
    close_if_open(input_);
    close_if_open(output_);
    throw;
  }
  ::close(input[1]);
  ::close(output[1]);
}

Child::Child(Child&& other) noexcept
    : process_(std::exchange(other.process_, -1)),
      input_(std::exchange(other.input_, -1)),
      output_(std::exchange(other.output_, -1)),
      pending_(std::move(other.pending_)) {}

Child::~Child() {
  if (process_ >= 0 && input_ >= 0) ::kill(process_, SIGKILL);
  close_if_open(input_);
  close_if_open(output_);
  if (process_ >= 0) (void)wait();
}

void Child::send(std::string_view line) {
  const std::string text = std::string(line) + '\n';
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t count = ::send(input_, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      throw base::UserError({.what = "cannot reach a worker process",
                             .got = std::strerror(errno),
                             .hint = "its own message stands above"});
    }
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Child::finish() {
  close_if_open(input_);
}

int Child::wait() {
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool Children::take_line(std::size_t index, ChildEvent& event) {
  std::string& pending = children_[index].pending_;
  const auto end = pending.find('\n');
  if (end == std::string::npos) return false;
  event = {.child = index, .line = pending.substr(0, end)};
  pending.erase(0, end + 1);
  return true;
}

void Children::receive(std::size_t index) {
  Child& child = children_[index];
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(child.output_, buffer.data(), buffer.size());
  if (count < 0 && errno == EINTR) return;
  if (count > 0) {
    child.pending_.append(buffer.data(), static_cast<std::size_t>(count));
  } else {
    close_if_open(child.output_);
  }
}

ChildEvent Children::next() {
  while (true) {
    ChildEvent event;
    for (std::size_t index = 0; index < children_.size(); ++index) {
      if (take_line(index, event)) return event;
    }
    std::vector<pollfd> sources;
    std::vector<std::size_t> owners;
    for (std::size_t index = 0; index < children_.size(); ++index) {
      if (children_[index].output_ < 0) continue;
      sources.push_back({.fd = children_[index].output_, .events = POLLIN, .revents = 0});
      owners.push_back(index);
    }
    base::invariant(!sources.empty(), "all children have ended");
    const int ready = ::poll(sources.data(), sources.size(), /*timeout=*/500);
    base::stop_if_interrupted();
    if (ready <= 0) continue;
    for (std::size_t place = 0; place < sources.size(); ++place) {
      if (sources[place].revents == 0) continue;
      receive(owners[place]);
      if (children_[owners[place]].output_ < 0) return {.child = owners[place], .ended = true};
    }
  }
}

std::filesystem::path own_program() {
  return std::filesystem::read_symlink("/proc/self/exe");
}

}  // namespace espalier::process
