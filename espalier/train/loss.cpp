#include "espalier/train/loss.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/promote_types.h>

#include "espalier/base/check.h"
#include "espalier/data/labels.h"
#include "espalier/train/class_scores.h"

namespace espalier::train {

void check_labels(const data::Batch& batch, std::int64_t classes) {
  data::check_labels(batch, classes);
  const bool any = (batch.labels >= 0).any().item<bool>();
  if (!any) {
    throw base::UserError(base::Problem{.what = "cannot train on a batch without labels",
                                        .hint = "the data set must give a label for its samples"});
  }
}

LossTerm cross_entropy(double smoothing, bool probabilities) {
  base::check(smoothing >= 0 && smoothing < 1,
              "label smoothing: got {}, expected 0 or more and below 1", smoothing);
  return {.name = "cross_entropy",
          .function = [=](std::span<const Tensor> outputs, const data::Batch& batch) {
            base::check(!outputs.empty() && outputs[0].dim() >= 2,
                        "cross entropy needs an output [N, classes]: got {} dimensions",
                        outputs.empty() ? 0 : outputs[0].dim());
            const Tensor logits = class_logits(outputs[0], probabilities);
            train::check_labels(batch, logits.size(1));
            base::check(logits.dim() == batch.labels.dim() + 1,
                        "cross entropy: got an output with {} dimensions for labels with {}, "
                        "expected one more",
                        logits.dim(), batch.labels.dim());
            constexpr std::int64_t kLeftOut = -1;
            return at::cross_entropy_loss(
                logits.to(at::promote_types(logits.scalar_type(), at::kFloat)),
                batch.labels.to(logits.device()).clamp_min(kLeftOut), {}, at::Reduction::Mean,
                kLeftOut, smoothing);
          }};
}

Tensor soft_cross_entropy(const Tensor& logits, const Tensor& probabilities) {
  base::check(logits.dim() == 2 && logits.sizes() == probabilities.sizes(),
              "soft cross entropy needs two tensors [N, classes]: got {} and {} dimensions, {} and "
              "{} elements",
              logits.dim(), probabilities.dim(), logits.numel(), probabilities.numel());
  return -(probabilities * at::log_softmax(logits, 1)).sum() / static_cast<double>(logits.size(0));
}

}  // namespace espalier::train
