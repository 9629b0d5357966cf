#pragma once

#include <filesystem>
#include <string_view>

#include "espalier/ir/graph.h"

namespace espalier::train {

/// What kind of file the bytes are, by content.
enum class ModelKind { Checkpoint, Onnx, Unknown };
[[nodiscard]] ModelKind model_kind(std::string_view bytes);

/// The graph of a checkpoint file or of an ONNX file, told apart by content; of a checkpoint, what
/// was trained so far. Throws UserError naming the path when it is neither.
[[nodiscard]] ir::Graph load_model(const std::filesystem::path& path);

}  // namespace espalier::train
