#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace espalier::process {

/// A program that reads lines from its standard input and writes lines to its standard output; its
/// error stream is ours.
class Child {
 public:
  /// Starts `command`, the path of a program and its arguments. Throws UserError when it cannot be
  /// started.
  explicit Child(const std::vector<std::string>& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  /// Closes its input and waits until it ends; kills it where it has not been asked to finish.
  ~Child();

  /// Sends a line (without its line feed). Throws UserError when the child is gone.
  void send(std::string_view line);
  /// Closes its input: a child that reads to the end finishes.
  void finish();
  /// Waits for its end; the exit code, or 128 + the signal that ended it. Only after its output
  /// has ended.
  [[nodiscard]] int wait();

 private:
  friend class Children;

  pid_t process_ = -1;
  int input_ = -1;       ///< our end of its standard input
  int output_ = -1;      ///< our end of its standard output
  std::string pending_;  ///< read, but not yet a whole line
};

/// What one of several children did.
struct ChildEvent {
  std::size_t child = 0;
  std::string line = {};  ///< without its line feed
  bool ended = false;     ///< its output has ended instead
};

/// Several children whose lines are taken as they come.
class Children {
 public:
  void add(const std::vector<std::string>& command) { children_.emplace_back(command); }
  [[nodiscard]] std::size_t size() const { return children_.size(); }
  [[nodiscard]] Child& operator[](std::size_t index) { return children_[index]; }

  /// Waits for the next line of any child, or its end (reported once). Throws Interrupted when a
  /// signal arrives meanwhile, and InternalError when all have ended.
  [[nodiscard]] ChildEvent next();

 private:
  [[nodiscard]] bool take_line(std::size_t index, ChildEvent& event);
  void receive(std::size_t index);

  std::vector<Child> children_;
};

/// The running program.
[[nodiscard]] std::filesystem::path own_program();

}  // namespace espalier::process
