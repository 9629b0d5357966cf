#include "espalier/train/weight_gradients.h"

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

/// Sums of one run.
class Sums {
 public:
  Sums(exec::Program& program, GradientMoment moment, bool probabilities)
      : program_(program), moment_(moment), loss_(cross_entropy(0, probabilities)) {}

  void add(const data::Batch& batch) {
    check_labels_exist(batch);
    const std::int64_t count = batch.images.size(0);
    const std::int64_t step = moment_ == GradientMoment::Mean ? count : 1;
    for (std::int64_t first = 0; first < count; first += step) {
      base::stop_if_interrupted();
      add_part({.images = batch.images.narrow(0, first, step),
                .labels = batch.labels.narrow(0, first, step),
                .indices = {}},
               static_cast<double>(step));
    }
    images_ += static_cast<double>(count);
  }

  [[nodiscard]] exec::TensorMap means() {
    base::check(images_ > 0, "cannot compute gradients of the loss: there are no images");
    for (auto& [name, sum] : sums_) {
      sum.div_(images_);
      base::check(sum.isfinite().all().item<bool>(),
                  "cannot compute gradients of the loss: that of '{}' is not finite", name);
    }
    return std::move(sums_);
  }

 private:
  void add_part(const data::Batch& part, double images) {
    const std::vector<Tensor> outputs = program_.run(std::span(&part.images, 1));
    // The loss is a mean over the part.
    (loss_.function(outputs, part) * images).backward();
    const at::NoGradGuard no_gradients;
    for (const auto& [name, parameter] : program_.parameters()) {
      const Tensor& gradient = parameter.grad();
      if (!gradient.defined()) continue;
      const Tensor number = gradient.to(at::kDouble);
      Tensor& sum = sums_[name];
      if (!sum.defined()) sum = at::zeros(number.sizes(), number.options());
      sum.add_(moment_ == GradientMoment::Mean ? number : number.square());
      parameter.mutable_grad() = Tensor();
    }
  }

  exec::Program& program_;
  GradientMoment moment_;
  LossTerm loss_;
  exec::TensorMap sums_;
  double images_ = 0;
};

}  // namespace

exec::TensorMap weight_gradients(const ir::Graph& graph, const NextLabelled& next,
                                 GradientMoment moment) {
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  program.set_training(false);
  Sums sums(program, moment, gives_probabilities(graph));
  while (const std::optional<data::Batch> batch = next()) sums.add(*batch);
  return sums.means();
}

}  // namespace espalier::train
