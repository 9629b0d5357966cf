#pragma once

#include <filesystem>
#include <optional>
#include <string_view>

#include <onnx/onnx_pb.h>

#include "espalier/tensor/tensor.h"

namespace espalier::onnx {

/// The tensor of a TensorProto; nothing when no tensor can hold its type (strings, 4-bit integers).
/// Sizes are checked against the bytes that are really there before anything is allocated.
/// `folder` holds external data files (empty: refused); `where` names the owner in messages.
[[nodiscard]] std::optional<Tensor> read_tensor(const ::onnx::TensorProto& proto,
                                                const std::filesystem::path& folder,
                                                std::string_view where);

/// Type, dims and raw bytes of a tensor; `with_data` false leaves the bytes out.
void write_tensor(const Tensor& tensor, ::onnx::TensorProto& proto, bool with_data = true);

}  // namespace espalier::onnx
