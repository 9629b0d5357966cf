#include "espalier/base/error.h"

#include <fmt/format.h>

namespace espalier::base {

std::string to_string(const Problem& problem) {
  std::string text = problem.what;
  if (!problem.where.empty()) text += (text.empty() ? "" : ": ") + problem.where;
  if (!problem.got.empty()) text += (text.empty() ? "got " : ": got ") + problem.got;
  if (!problem.expected.empty()) {
    text += problem.got.empty() ? ": expected " : ", expected ";
    text += problem.expected;
  }
  if (!problem.hint.empty()) text += " (" + problem.hint + ")";
  return text;
}

InternalError::InternalError(std::string_view text, std::source_location place)
    : Error(fmt::format("internal error at {}:{}: {}", place.file_name(), place.line(), text)) {}

}  // namespace espalier::base
