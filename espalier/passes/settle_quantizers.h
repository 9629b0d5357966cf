#pragma once

#include <string_view>

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Attribute of a settled FakeQuantize: the estimator that it was trained by.
inline constexpr std::string_view kTrainedBy = "trained_by";

/// Ends the training of quantizers: FakeQuantize nodes get the parameters that evaluation uses, and
/// keep them.
///
/// Before   x' = FakeQuantize(x, scale, zero_point, state), estimator e
/// After    x' = FakeQuantize(x, scale', zero_point'), zero_point' int32
/// Formula  scale' and zero_point' as exec computes them in evaluation: abs_max of weights from the
///          weight, pact from its clip value, lsq_plus from its offset, all others as stored. A
///          range that a learned scale has moved beyond the bounds of the activation before it
///          (Clip) is drawn back to them: engines drop the activation only then.
/// Conditions: weights whose scale follows them are initializers (fold_constants before).
[[nodiscard]] Pass settle_quantizers();

}  // namespace espalier::passes
