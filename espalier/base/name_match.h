#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace espalier::base {

/// Glob match: '*' any run of characters, '?' one character; everything else literally.
[[nodiscard]] bool matches_glob(std::string_view pattern, std::string_view text);

/// The candidate with the smallest edit distance to `word`, or empty when none is near (distance
/// above a third of the length, at least 2).
[[nodiscard]] std::string nearest_name(std::string_view word,
                                       std::span<const std::string> candidates);

/// "did you mean 'x'" when a near candidate exists, otherwise "known: a, b, c" (the first 24).
[[nodiscard]] std::string suggest_name(std::string_view word,
                                       std::span<const std::string> candidates);

}  // namespace espalier::base
