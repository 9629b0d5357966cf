#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Takes simulated quantization out: the float model with the weights that a training with
/// quantizers gave it.
///
/// Before   y = Conv(FakeQuantize(x, s, z), FakeQuantize(W, s', 0))
/// After    y = Conv(x, W)
/// What correct_folded_weights put in stays where it computes something; it cancels out.
[[nodiscard]] Pass remove_fake_quantize();

}  // namespace espalier::passes
