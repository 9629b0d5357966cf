#include "espalier/exec/kernels/memory_view.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

namespace espalier::exec {

MemoryView view_memory(const Tensor& tensor, std::int64_t axis) {
  MemoryView view;
  if (axis < 0) {
    view.inner = tensor.numel();
    return view;
  }
  view.channels = tensor.size(axis);
  for (std::int64_t other = 0; other < tensor.dim(); ++other) {
    if (other == axis) continue;
    const bool faster = tensor.stride(other) < tensor.stride(axis);
    (faster ? view.inner : view.outer) *= tensor.size(other);
  }
  return view;
}

bool is_viewable(const Tensor& tensor) {
  return tensor.is_contiguous() || tensor.is_contiguous(at::MemoryFormat::ChannelsLast) ||
         tensor.is_contiguous(at::MemoryFormat::ChannelsLast3d);
}

Tensor with_strides(const Tensor& tensor, at::IntArrayRef strides) {
  if (tensor.strides() == strides) return tensor;
  return at::empty_strided(tensor.sizes(), strides, tensor.options()).copy_(tensor);
}

Tensor share_memory(const Tensor& tensor) {
  Tensor shared = at::empty({0}, tensor.options());
  shared.unsafeGetTensorImpl()->set_storage_keep_dtype(tensor.storage());
  shared.unsafeGetTensorImpl()->set_storage_offset(tensor.storage_offset());
  shared.unsafeGetTensorImpl()->set_sizes_and_strides(tensor.sizes(), tensor.strides());
  return shared;
}

}  // namespace espalier::exec
