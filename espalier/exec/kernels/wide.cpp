#include "espalier/exec/kernels/wide.h"

#include <c10/core/ScalarType.h>

namespace espalier::exec {

Tensor widen(const Tensor& tensor) {
  return c10::isBarebonesUnsignedType(tensor.scalar_type()) ? tensor.to(at::kLong) : tensor;
}

}  // namespace espalier::exec
