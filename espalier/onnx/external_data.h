#pragma once

#include <cstdint>
#include <filesystem>

#include <onnx/onnx_pb.h>

namespace espalier::onnx {

/// Largest message that protobuf writes.
inline constexpr std::uint64_t kMaxFileBytes = (std::uint64_t{1} << 31) - 1;

/// Writes the initializers' bytes to `<path>.data`, each at a multiple of 64, and leaves their
/// places in the model. Small ones stay inside.
void move_data_out(::onnx::ModelProto& model, const std::filesystem::path& path);

}  // namespace espalier::onnx
