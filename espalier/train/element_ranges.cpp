#include "espalier/train/element_ranges.h"

#include <algorithm>

#include "espalier/tensor/parallel.h"

namespace espalier::train {
namespace {

constexpr std::int64_t kRangeElements = 16384;
constexpr std::int64_t kRangesPerTask = 4;

}  // namespace

std::vector<ElementRange> split_elements(std::span<const Tensor> tensors) {
  std::vector<ElementRange> ranges;
  for (std::size_t tensor = 0; tensor < tensors.size(); ++tensor) {
    const std::int64_t total = tensors[tensor].defined() ? tensors[tensor].numel() : 0;
    for (std::int64_t begin = 0; begin < total; begin += kRangeElements) {
      ranges.push_back(
          {.tensor = tensor, .begin = begin, .end = std::min(begin + kRangeElements, total)});
    }
  }
  return ranges;
}

void for_each_range(const std::vector<ElementRange>& ranges,
                    const std::function<void(std::size_t index)>& work) {
  at::parallel_for(0, static_cast<std::int64_t>(ranges.size()), kRangesPerTask,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t index = begin; index < end; ++index) {
                       work(static_cast<std::size_t>(index));
                     }
                   });
}

}  // namespace espalier::train
