#include "espalier/onnx/library_error.h"

#include <exception>
#include <new>

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::onnx {
namespace {

constexpr std::size_t kMaxText = 600;

/// First line of the text, shortened.
std::string first_line(std::string text) {
  text = text.substr(0, text.find('\n'));
  if (text.size() > kMaxText) text = text.substr(0, kMaxText) + "...";
  return text;
}

/// Takes "(op_type:Conv, node name: conv1): [ShapeInferenceError] text" apart.
base::Problem explain(const std::string& what, std::string text) {
  for (const std::string_view prefix : {"[ShapeInferenceError] ", "[TypeInferenceError] "}) {
    for (auto place = text.find(prefix); place != std::string::npos; place = text.find(prefix)) {
      text.erase(place, prefix.size());
    }
  }
  const std::string_view start = "Inference error(s): ";
  if (text.starts_with(start)) text.erase(0, start.size());
  text = first_line(text);
  const std::string_view op_mark = "(op_type:";
  const std::string_view name_mark = ", node name: ";
  const auto name = text.find(name_mark);
  const auto end = text.find("): ", name);
  if (!text.starts_with(op_mark) || name == std::string::npos || end == std::string::npos) {
    return {.what = what, .got = text};
  }
  const std::string op = text.substr(op_mark.size(), name - op_mark.size());
  const std::string node = text.substr(name + name_mark.size(), end - name - name_mark.size());
  return {
      .what = what, .where = fmt::format("node '{}' ({})", node, op), .got = text.substr(end + 3)};
}

}  // namespace

void call_library(const std::string& what, const std::function<void()>& call) {
  try {
    call();
  } catch (const base::Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw base::UserError({.what = what, .got = "a model that needs more memory than there is"});
  } catch (const std::exception& error) {
    throw base::UserError(explain(what, error.what()));
  }
}

}  // namespace espalier::onnx
