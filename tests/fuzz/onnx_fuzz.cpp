// Feeds bytes to the reader of ONNX files; what is accepted must be written and read back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "espalier/base/error.h"
#include "espalier/onnx/codec.h"

namespace {

using espalier::onnx::decode;
using espalier::onnx::encode;

/// Writing may be refused by name; what was written must be a fixed point.
void check_round_trip(const espalier::ir::Graph& graph, std::int64_t opset) {
  std::string once;
  try {
    once = encode(graph, {.opset = opset});
  } catch (const espalier::base::UnsupportedError&) {
    return;
  }
  if (encode(decode(once), {.opset = opset}) != once) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto graph = decode(std::string_view(reinterpret_cast<const char*>(data), size));
    for (const std::int64_t opset : {13, 17, 23}) check_round_trip(graph, opset);
  } catch (const espalier::base::UserError&) {
  } catch (const espalier::base::UnsupportedError&) {
    // Bad models are refused with a message; anything else ends the program.
  }
  return 0;
}
