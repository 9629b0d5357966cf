#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   n = Gather(Shape(x), 0)      y = Reshape(x, Concat(n, [-1]))
/// After    y = Reshape(x, [0, -1])
/// Before   p = Cast(Max((Ceil(h / 2) - 1) * 2 + 3 - h, 0)), ...      y = Pad(x, Concat(0, 0, p,
/// ...)) After    y = Pad(x, [0, 0, 1, ...])      (h a known size; the batch may be unknown) Before
/// y = Resize(x, sizes = Concat(Shape(x)[0:2], 2 * h, 2 * w)) After    y = Resize(x, scales = [1,
/// 1, 2, 2])
///
/// Computes shape arithmetic (shape_evaluation.h) with unknown sizes as symbols. A value whose
/// numbers are all known becomes an initializer. In a Reshape target a number equal to the same
/// dimension of the input becomes 0, and at most one other unknown number -1. Resize sizes become
/// scales when each is a known multiple of the input's dimension, and gives the same size back.
/// Runs shape inference and constant folding in between, to a fixed point: one layer's padding
/// decides the next layer's sizes.
/// Conditions: graph outputs stay computed; Reshape with allowzero and Resize that keeps an aspect
///          ratio are left alone.
[[nodiscard]] Pass fold_shape_arithmetic();

}  // namespace espalier::passes
