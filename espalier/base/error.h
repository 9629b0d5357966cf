#pragma once

#include <concepts>
#include <exception>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>

namespace espalier::base {

/// What went wrong, in the parts a reader needs. Empty parts are left out of the text:
/// `<what>: <where>: got <got>, expected <expected> (<hint>)`.
struct Problem {
  std::string what = {};      ///< what failed, e.g. "cannot read the model 'a.onnx'"
  std::string where = {};     ///< e.g. "node 'layer1.0.conv1' (Conv)" or "recipe.yaml:14"
  std::string got = {};       ///< the value found, quoted where it is a name
  std::string expected = {};  ///< the values that would have been accepted
  std::string hint = {};      ///< what the user can do
};

/// Joins the parts of a problem into one line.
[[nodiscard]] std::string to_string(const Problem& problem);

/// Exit codes of the program; tests and scripts rely on them (docs/versioning.md).
enum class ExitCode {
  Ok = 0,
  FailedCheck = 1,
  UserError = 2,
  Unsupported = 3,
  Internal = 70,
  Interrupted = 130
};

/// Root of the errors that Espalier throws on purpose.
class Error : public std::exception {
 public:
  explicit Error(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }
  [[nodiscard]] virtual ExitCode exit_code() const noexcept = 0;

 private:
  std::string text_;
};

/// Bad input: file, recipe, model, argument. Exit code 2. (The constructor from text is a template
/// so that `UserError({.what = "a", .got = "b"})` means a Problem and not a pair of iterators.)
class UserError : public Error {
 public:
  explicit UserError(const Problem& problem) : Error(to_string(problem)) {}
  template <std::convertible_to<std::string> Text>
  explicit UserError(Text&& text) : Error(std::string(std::forward<Text>(text))) {}
  [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::UserError; }
};

/// Valid input that Espalier does not handle; the hint says what would help. Exit code 3.
class UnsupportedError : public Error {
 public:
  explicit UnsupportedError(const Problem& problem) : Error(to_string(problem)) {}
  template <std::convertible_to<std::string> Text>
  explicit UnsupportedError(Text&& text) : Error(std::string(std::forward<Text>(text))) {}
  [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::Unsupported; }
};

/// A bug of ours; carries the place in the source. Exit code 70.
class InternalError : public Error {
 public:
  explicit InternalError(std::string_view text,
                         std::source_location place = std::source_location::current());
  [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::Internal; }
};

/// The user asked to stop (Ctrl-C, SIGTERM); whatever had to be saved has been. Exit code 130.
class Interrupted : public Error {
 public:
  explicit Interrupted(std::string text) : Error(std::move(text)) {}
  [[nodiscard]] ExitCode exit_code() const noexcept override { return ExitCode::Interrupted; }
};

}  // namespace espalier::base
