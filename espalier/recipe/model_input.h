#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/recipe/recipe.h"
#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// The input that takes the images. Throws UnsupportedError, which names them, when the model has
/// none or several.
[[nodiscard]] const ir::Value& image_input(const ir::Graph& graph);

/// Throws UserError that begins with `what` and names the first operator on integer codes.
void refuse_quantized(const ir::Graph& graph, const std::string& what);

/// The first weight or running statistic with elements that are no finite numbers, and its node.
[[nodiscard]] std::optional<std::string> find_broken_weight(const ir::Graph& graph);

/// Refuses by name what post-training quantization cannot start from: UserError for a model that
/// is quantized already or has weights that are no finite numbers, UnsupportedError for several
/// inputs and for weights in 16-bit floats.
void check_quantizable(const ir::Graph& graph);

/// Throws UserError when images [samples, ...] of `source` do not have the sizes that the model's
/// input declares behind its batch dimension.
void check_images(const ir::Graph& graph, const Tensor& images, const std::string& source);

/// Random images in [-1, 1) for every input, always the same ones; nothing where a size beside the
/// batch is open, or an input takes no floats. `samples` stand in for the first size.
[[nodiscard]] std::optional<std::vector<Tensor>> random_images(const ir::Graph& graph,
                                                               std::int64_t samples);

/// A model whose file fixes the batch size is calibrated in micro-batches of that size, and on a
/// multiple of it. Throws UserError when `images`, the number there are, is less than one batch.
[[nodiscard]] CalibrationConfig fit_to_batch(const CalibrationConfig& config,
                                             std::optional<std::int64_t> batch, std::size_t images);

}  // namespace espalier::recipe
