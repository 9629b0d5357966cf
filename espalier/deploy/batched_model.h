#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "espalier/deploy/engine.h"
#include "espalier/ir/graph.h"

namespace espalier::deploy {

/// Batch size that the file fixes in its inputs; nothing when the batch is free.
[[nodiscard]] std::optional<std::int64_t> fixed_batch(const ir::Graph& graph);

/// Runs any number of samples through a model whose file may fix the batch size: the samples are
/// cut into pieces of that size (the last one filled up by repetition) and the outputs joined.
/// Throws what the model throws.
[[nodiscard]] std::vector<Tensor> run_batched(EngineModel& model, std::span<const Tensor> inputs,
                                              std::optional<std::int64_t> batch);

/// The same for anything that maps inputs to outputs.
using RunModel = std::function<std::vector<Tensor>(std::span<const Tensor>)>;
[[nodiscard]] std::vector<Tensor> run_batched(const RunModel& run, std::span<const Tensor> inputs,
                                              std::optional<std::int64_t> batch);

}  // namespace espalier::deploy
