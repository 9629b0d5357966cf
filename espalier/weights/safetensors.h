#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

#include "espalier/tensor/tensor.h"

namespace espalier::weights {

/// Tensors by name.
using TensorMap = std::map<std::string, Tensor, std::less<>>;

/// Content of a safetensors file.
struct SafeTensors {
  TensorMap tensors;
  std::map<std::string, std::string> metadata;  ///< the "__metadata__" entry
};

/// The bytes of a safetensors file: tensors sorted by name, row-major, header padded to 8 bytes.
/// The same tensors give the same bytes. Throws UnsupportedError for an element type that the
/// format lacks and UserError for the reserved name "__metadata__".
[[nodiscard]] std::string encode_safetensors(
    const TensorMap& tensors, const std::map<std::string, std::string>& metadata = {});

/// Reads the bytes of a safetensors file. `source` names them in messages. Refuses with UserError
/// what the format forbids: a header beyond the file, text that is not JSON, repeated names, sizes
/// that overflow, offsets that overlap, leave holes, or disagree with type and shape.
[[nodiscard]] SafeTensors decode_safetensors(std::string_view bytes, std::string_view source);

/// decode_safetensors of a file.
[[nodiscard]] SafeTensors read_safetensors(const std::filesystem::path& path);

/// encode_safetensors into a file that appears whole or not at all.
void write_safetensors(const std::filesystem::path& path, const TensorMap& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace espalier::weights
