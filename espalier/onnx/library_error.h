#pragma once

#include <functional>
#include <string>

namespace espalier::onnx {

/// Calls into the ONNX library, which throws many kinds of exceptions: each becomes a UserError
/// of one line that starts with `what` and names the node where the library's text does.
void call_library(const std::string& what, const std::function<void()>& call);

}  // namespace espalier::onnx
