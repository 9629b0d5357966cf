#include "espalier/quant/micro_batches.h"

#include <algorithm>

#include <ATen/ops/concat.h>

#include "espalier/base/check.h"

namespace espalier::quant {

MicroBatches::MicroBatches(const BatchSource& next, std::size_t samples, std::size_t size)
    : next_(next), left_(samples), size_(size) {
  base::check(samples > 0, "calibration needs samples: got {}", samples);
  base::check(size > 0, "calibration needs micro-batches of at least one sample: got {}", size);
}

void MicroBatches::fetch() {
  std::vector<Tensor> inputs = next_();
  if (inputs.empty()) {
    ended_ = true;
    return;
  }
  for (const Tensor& input : inputs) {
    base::check(input.defined() && input.dim() > 0,
                "a calibration batch has an input without dimensions: expected samples along the "
                "first one");
    base::check(
        input.size(0) == inputs.front().size(0),
        "the inputs of a calibration batch hold different numbers of samples: got {} and {}",
        inputs.front().size(0), input.size(0));
  }
  if (inputs.front().size(0) == 0) return;
  pending_samples_ += static_cast<std::size_t>(inputs.front().size(0));
  pending_.push_back(std::move(inputs));
}

std::optional<MicroBatches::Item> MicroBatches::take() {
  const std::lock_guard lock(mutex_);
  const std::size_t wanted = std::min(size_, left_);
  while (pending_samples_ < wanted && !ended_) fetch();
  const std::size_t count = std::min(wanted, pending_samples_);
  if (count == 0) return std::nullopt;
  std::vector<std::vector<Tensor>> parts(pending_.front().size());
  for (std::size_t got = 0; got < count;) {
    std::vector<Tensor>& batch = pending_.front();
    base::check(batch.size() == parts.size(),
                "calibration batches hold different numbers of inputs: got {} and {}", parts.size(),
                batch.size());
    const auto here = static_cast<std::size_t>(batch.front().size(0));
    const std::size_t used = std::min(count - got, here);
    for (std::size_t input = 0; input < parts.size(); ++input) {
      parts[input].push_back(batch[input].narrow(0, 0, static_cast<std::int64_t>(used)));
      batch[input] = batch[input].narrow(0, static_cast<std::int64_t>(used),
                                         static_cast<std::int64_t>(here - used));
    }
    if (used == here) pending_.erase(pending_.begin());
    got += used;
  }
  Item item{.index = index_++, .inputs = {}, .samples = count};
  for (const std::vector<Tensor>& part : parts) {
    item.inputs.push_back(part.size() == 1 ? part.front() : at::concat(part));
  }
  pending_samples_ -= count;
  left_ -= count;
  return item;
}

}  // namespace espalier::quant
