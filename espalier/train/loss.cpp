#include "espalier/train/loss.h"

#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/log_softmax.h>

#include "espalier/base/check.h"

namespace espalier::train {

void check_labels(const data::Batch& batch, std::int64_t classes) {
  const Tensor labels = batch.labels.to(at::kCPU, at::kLong).contiguous();
  const std::int64_t* values = labels.const_data_ptr<std::int64_t>();
  bool any = false;
  for (std::int64_t index = 0; index < labels.numel(); ++index) {
    any = any || values[index] >= 0;
    if (values[index] < classes) continue;
    const std::int64_t per_sample = labels.numel() / std::max<std::int64_t>(labels.size(0), 1);
    const auto sample = static_cast<std::size_t>(index / per_sample);
    throw base::UserError(
        {.what = "a label is outside the classes of the model",
         .where = sample < batch.indices.size()
                      ? fmt::format("sample {} of the data set", batch.indices[sample])
                      : "",
         .got = fmt::format("{}", values[index]),
         .expected = fmt::format("0 to {}", classes - 1)});
  }
  if (!any) {
    throw base::UserError(base::Problem{.what = "cannot train on a batch without labels",
                                        .hint = "the data set must give a label for its samples"});
  }
}

LossTerm cross_entropy(double smoothing) {
  base::check(smoothing >= 0 && smoothing < 1,
              "label smoothing: got {}, expected 0 or more and below 1", smoothing);
  return {.name = "cross_entropy",
          .function = [smoothing](std::span<const Tensor> outputs, const data::Batch& batch) {
            base::check(!outputs.empty() && outputs[0].dim() >= 2,
                        "cross entropy needs an output [N, classes]: got {} dimensions",
                        outputs.empty() ? 0 : outputs[0].dim());
            check_labels(batch, outputs[0].size(1));
            constexpr std::int64_t kLeftOut = -1;
            return at::cross_entropy_loss(
                outputs[0].to(at::promote_types(outputs[0].scalar_type(), at::kFloat)),
                batch.labels.to(outputs[0].device()).clamp_min(kLeftOut), {}, at::Reduction::Mean,
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
