#pragma once

#include "espalier/exec/program.h"

namespace espalier::train {

/// What bounds the gradients of a step.
struct ClipOptions {
  enum class Kind {
    None,
    GlobalNorm,  ///< all times limit / norm where their common norm is above the limit (Pascanu et
                 ///< al., ICML 2013)
    Value        ///< each element into [-limit, limit]
  };
  Kind kind = Kind::None;
  double limit = 1;  ///< above 0
};

/// Throws UserError for a limit that is not above 0.
void check_clip(const ClipOptions& options);

/// "", "clip global_norm 1", "clip value 0.5".
[[nodiscard]] std::string describe_clip(const ClipOptions& options);

/// The 2-norm of all gradients together, summed in double in a fixed order: the same bits on any
/// number of threads. Not finite when an element is not. Parameters without a gradient count as 0.
[[nodiscard]] double gradient_norm(const exec::TensorMap& parameters);

/// Bounds the gradients in place; `norm` is what gradient_norm() gave.
void clip_gradients(const exec::TensorMap& parameters, const ClipOptions& options, double norm);

}  // namespace espalier::train
