#include "espalier/exec/kernel.h"

#include <c10/core/GradMode.h>

namespace espalier::exec {

bool may_overwrite(const Tensor& tensor) {
  if (tensor.use_count() != 1 || !tensor.has_storage() || tensor.storage().use_count() != 1) {
    return false;
  }
  if (!tensor.is_non_overlapping_and_dense()) return false;
  return !(c10::GradMode::is_enabled() && tensor.requires_grad() && tensor.is_leaf());
}

}  // namespace espalier::exec
