#include "espalier/deploy/batched_model.h"

#include <algorithm>

#include <ATen/ops/concat.h>

namespace espalier::deploy {
namespace {

/// Samples first..first+count-1 of the tensor, filled up to `batch` with the last of them.
Tensor piece(const Tensor& tensor, std::int64_t first, std::int64_t count, std::int64_t batch) {
  const Tensor samples = tensor.narrow(0, first, count);
  if (count == batch) return samples;
  std::vector<std::int64_t> sizes = tensor.sizes().vec();
  sizes[0] = batch - count;
  return at::concat({samples, samples.narrow(0, count - 1, 1).expand(sizes)}, /*dim=*/0);
}

}  // namespace

std::optional<std::int64_t> fixed_batch(const ir::Graph& graph) {
  for (const ir::Value* input : graph.inputs()) {
    const auto& shape = input->type().shape;
    // Exporters write 0 for a dimension that is not known.
    if (shape && !shape->empty() && shape->front().known() && shape->front().size > 0) {
      return shape->front().size;
    }
  }
  return std::nullopt;
}

std::vector<Tensor> run_batched(EngineModel& model, std::span<const Tensor> inputs,
                                std::optional<std::int64_t> batch) {
  return run_batched(RunModel([&model](std::span<const Tensor> part) { return model.run(part); }),
                     inputs, batch);
}

std::vector<Tensor> run_batched(const RunModel& run, std::span<const Tensor> inputs,
                                std::optional<std::int64_t> batch) {
  const std::int64_t samples = inputs.empty() ? 0 : inputs.front().size(0);
  if (!batch || *batch == samples || *batch < 1) return run(inputs);
  std::vector<std::vector<Tensor>> parts;
  for (std::int64_t first = 0; first < samples; first += *batch) {
    const std::int64_t count = std::min(*batch, samples - first);
    std::vector<Tensor> pieces;
    for (const Tensor& input : inputs) pieces.push_back(piece(input, first, count, *batch));
    const std::vector<Tensor> outputs = run(pieces);
    parts.resize(outputs.size());
    for (std::size_t index = 0; index < outputs.size(); ++index) {
      parts[index].push_back(outputs[index].narrow(0, 0, count));
    }
  }
  std::vector<Tensor> joined;
  for (const auto& part : parts) joined.push_back(at::concat(part, /*dim=*/0));
  return joined;
}

}  // namespace espalier::deploy
