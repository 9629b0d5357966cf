#pragma once

#include <cstdint>

#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// How an axis lies in a dense tensor's memory: [outer, channels, inner].
struct MemoryView {
  std::int64_t outer = 1;
  std::int64_t channels = 1;
  std::int64_t inner = 1;
};

/// The whole tensor as one run when axis is -1. The tensor must be viewable.
[[nodiscard]] MemoryView view_memory(const Tensor& tensor, std::int64_t axis);

/// True for a tensor whose channels lie at one place of the memory order, as view_memory needs it:
/// contiguous or channels last.
[[nodiscard]] bool is_viewable(const Tensor& tensor);

/// The tensor, copied unless its strides are these already.
[[nodiscard]] Tensor with_strides(const Tensor& tensor, at::IntArrayRef strides);

/// Another tensor on the same memory, of which autograd knows nothing.
[[nodiscard]] Tensor share_memory(const Tensor& tensor);

}  // namespace espalier::exec
