#include "espalier/recipe/open_for_training.h"

#include <algorithm>
#include <optional>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/deploy/batched_model.h"
#include "espalier/exec/program.h"
#include "espalier/passes/open_batch.h"
#include "espalier/recipe/model_input.h"

namespace espalier::recipe {
namespace {

/// Two batches of the model at once must give what they give one after the other.
void check_opened(const ir::Graph& graph, const ir::Graph& opened, std::int64_t batch) {
  const auto inputs = random_images(graph, 2 * batch);
  if (!inputs) return;
  const exec::Program original = exec::Program::compile(graph, {});
  const deploy::RunModel run = [&](std::span<const Tensor> part) { return original.run(part); };
  const std::vector<Tensor> expected = deploy::run_batched(run, *inputs, batch);
  const std::vector<Tensor> found = exec::Program::compile(opened, {}).run(*inputs);
  for (std::size_t index = 0; index < expected.size(); ++index) {
    constexpr double kTolerance = 1e-3;
    const bool alike = found[index].sizes() == expected[index].sizes();
    const Tensor wide = expected[index].to(at::kDouble);
    const double gap = alike ? (found[index].to(at::kDouble) - wide).abs().max().item<double>() : 0;
    if (alike && gap <= kTolerance * std::max(wide.abs().max().item<double>(), 1e-30)) continue;
    throw base::UnsupportedError(
        {.what = fmt::format("cannot train a model that fixes a batch of {}", batch),
         .where = fmt::format("output '{}'", graph.outputs()[index]->name()),
         .got = alike ? fmt::format("a difference of {:.2e} when its batch is opened", gap)
                      : "another shape when its batch is opened",
         .hint = "export the model with an open batch"});
  }
}

}  // namespace

ir::Graph open_for_training(const ir::Graph& graph) {
  ir::Graph opened = graph.clone();
  const std::optional<std::int64_t> batch = deploy::fixed_batch(graph);
  if (!batch) return opened;
  passes::run(opened, {passes::open_batch()});
  check_opened(graph, opened, *batch);
  return opened;
}

}  // namespace espalier::recipe
