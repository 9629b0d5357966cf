#include "espalier/train/weight_gradients.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"
#include "espalier/train/class_scores.h"
#include "espalier/train/loss.h"

namespace espalier::train {
namespace {

void check_labels_exist(const data::Batch& batch) {
  if (batch.labels.defined() && !batch.labels.lt(0).any().item<bool>()) return;
  throw base::UserError(
      {.what = "cannot compute gradients of the loss",
       .got = "images without labels",
       .expected = "a label for every image",
       .hint = "give labelled data, or a criterion that needs none: l1, l2, fpgm"});
}

/// Mean gradients of the part's images; leaves none in the program.
exec::TensorMap gradients_of(exec::Program& program, const LossTerm& loss,
                             const data::Batch& part) {
  const std::vector<Tensor> outputs = program.run(std::span(&part.images, 1));
  loss.function(outputs, part).backward();
  const at::NoGradGuard no_gradients;
  exec::TensorMap gradients;
  for (const auto& [name, parameter] : program.parameters()) {
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    base::check(gradient.isfinite().all().item<bool>(),
                "cannot compute gradients of the loss: that of '{}' is not finite", name);
    gradients[name] = gradient.to(at::kDouble);
    parameter.mutable_grad() = Tensor();
  }
  return gradients;
}

}  // namespace

void visit_weight_gradients(const ir::Graph& graph, const NextLabelled& next,
                            std::int64_t images_at_once, const VisitGradients& visit) {
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  program.set_training(false);
  const LossTerm loss = cross_entropy(0, gives_probabilities(graph));
  bool any = false;
  while (const std::optional<data::Batch> batch = next()) {
    check_labels_exist(*batch);
    const std::int64_t count = batch->images.size(0);
    for (std::int64_t first = 0; first < count; first += images_at_once) {
      base::stop_if_interrupted();
      const std::int64_t images = std::min(images_at_once, count - first);
      visit(gradients_of(program, loss,
                         {.images = batch->images.narrow(0, first, images),
                          .labels = batch->labels.narrow(0, first, images),
                          .indices = {}}));
      any = true;
    }
  }
  base::check(any, "cannot compute gradients of the loss: there are no images");
}

exec::TensorMap mean_squared_gradients(const ir::Graph& graph, const NextLabelled& next) {
  exec::TensorMap sums;
  double images = 0;
  visit_weight_gradients(graph, next, 1, [&](const exec::TensorMap& gradients) {
    for (const auto& [name, gradient] : gradients) {
      Tensor& sum = sums[name];
      if (!sum.defined()) sum = at::zeros(gradient.sizes(), gradient.options());
      sum.add_(gradient.square());
    }
    ++images;
  });
  for (auto& [name, sum] : sums) sum.div_(images);
  return sums;
}

}  // namespace espalier::train
