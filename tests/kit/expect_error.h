#pragma once

#include <functional>
#include <source_location>
#include <string>
#include <string_view>

namespace espalier::kit {

/// Calls `action` and expects a base::UserError whose text contains `text`; fails at the caller's
/// line with the text that came instead. Returns the whole text ("" when nothing was thrown), for
/// further expectations.
std::string expect_user_error(const std::function<void()>& action, std::string_view text,
                              std::source_location place = std::source_location::current());

/// The same for base::UnsupportedError.
std::string expect_unsupported(const std::function<void()>& action, std::string_view text,
                               std::source_location place = std::source_location::current());

/// The same for base::InternalError.
std::string expect_internal_error(const std::function<void()>& action, std::string_view text,
                                  std::source_location place = std::source_location::current());

}  // namespace espalier::kit
