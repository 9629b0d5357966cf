#include "tests/kit/expect_error.h"

#include <gtest/gtest.h>

#include "espalier/base/error.h"

namespace espalier::kit {
namespace {

/// Runs the action; `Wanted` is the error class that must come.
template <typename Wanted>
std::string expect_error(const std::function<void()>& action, std::string_view kind,
                         std::string_view text, const std::source_location& place) {
  const auto line = static_cast<int>(place.line());
  try {
    action();
  } catch (const Wanted& error) {
    const std::string found = error.what();
    if (found.find(text) == std::string::npos) {
      ADD_FAILURE_AT(place.file_name(), line)
          << kind << " has another text\n  expected part: " << text
          << "\n  whole text:    " << found;
    }
    return found;
  } catch (const std::exception& error) {
    ADD_FAILURE_AT(place.file_name(), line)
        << "expected " << kind << " with '" << text << "', another kind came: " << error.what();
    return error.what();
  }
  ADD_FAILURE_AT(place.file_name(), line)
      << "expected " << kind << " with '" << text << "', nothing was thrown";
  return "";
}

}  // namespace

std::string expect_user_error(const std::function<void()>& action, std::string_view text,
                              std::source_location place) {
  return expect_error<base::UserError>(action, "UserError", text, place);
}

std::string expect_unsupported(const std::function<void()>& action, std::string_view text,
                               std::source_location place) {
  return expect_error<base::UnsupportedError>(action, "UnsupportedError", text, place);
}

std::string expect_internal_error(const std::function<void()>& action, std::string_view text,
                                  std::source_location place) {
  return expect_error<base::InternalError>(action, "InternalError", text, place);
}

}  // namespace espalier::kit
