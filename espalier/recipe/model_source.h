#pragma once

#include <filesystem>
#include <string>

#include "espalier/ir/graph.h"
#include "espalier/recipe/recipe.h"

namespace espalier::recipe {

/// The graph of a zoo model, an ONNX file or a checkpoint, with weights from another file where the
/// recipe names one. Throws UserError.
[[nodiscard]] ir::Graph load_model(const ModelConfig& config);

/// Copies the tensors of `file` (ONNX, checkpoint or safetensors) into initializers of the same
/// name. Throws UserError when a shape differs, or when an initializer that training may change is
/// missing from the file.
void load_weights(ir::Graph& graph, const std::filesystem::path& file);

/// What people call the model: the stem of its file, or the family's name.
[[nodiscard]] std::string model_title(const ModelConfig& config);

/// The bytes an engine loads: an ONNX file as it is, with its external data; a checkpoint's graph
/// exported.
[[nodiscard]] std::string onnx_bytes(const std::filesystem::path& model);

/// "image [batch, 3, 224, 224] float32", for messages and reports.
[[nodiscard]] std::string describe_inputs(const ir::Graph& graph);

}  // namespace espalier::recipe
