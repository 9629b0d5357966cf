#pragma once

#include <source_location>
#include <utility>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::base {

/// A format string that remembers where it was written.
template <typename... Args>
struct LocatedFormat {
  template <typename Text>
  consteval LocatedFormat(const Text& text,  // NOLINT(google-explicit-constructor)
                          std::source_location where = std::source_location::current())
      : format(text), place(where) {}
  fmt::format_string<Args...> format;
  std::source_location place;
};

/// Guards input: throws UserError with the formatted text when `condition` is false.
template <typename... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw UserError(fmt::format(format, std::forward<Args>(args)...));
}

/// Guards what is valid but not handled: throws UnsupportedError when `condition` is false.
template <typename... Args>
void require_supported(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw UnsupportedError(fmt::format(format, std::forward<Args>(args)...));
}

/// Guards our own logic; input can never reach it. Throws InternalError with the source location.
template <typename... Args>
void invariant(bool condition, LocatedFormat<std::type_identity_t<Args>...> text, Args&&... args) {
  if (!condition) {
    throw InternalError(fmt::format(text.format, std::forward<Args>(args)...), text.place);
  }
}

}  // namespace espalier::base
