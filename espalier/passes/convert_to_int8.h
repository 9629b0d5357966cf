#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// The storage form of a frozen graph: integer-valued weights take one byte each.
///
/// Before   p = Conv(x, W_int), W_int a float32 initializer of integers (freeze_weights)
/// After    p = Conv(x, Cast(W_int8, to float)), W_int8 an int8 initializer called <W>.int8
/// Conditions: every element of the weight is an integer in -128..127, and the layer's result is
///          scaled by a constant. Weights of more bits stay float. The graph computes the same
///          numbers bit for bit. Throws UserError when no weight fits.
[[nodiscard]] Pass convert_to_int8();

}  // namespace espalier::passes
