#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = BatchNormalization(x, s, b, m, v)   z = BatchNormalization(y, s, b, m, v)
/// After    y = BatchNormalization(x, s, b, m, v)   z = BatchNormalization(y, s_1, b_1, m_1, v_1)
/// Why      exporters store equal constants once, and fresh normalizations are all equal: layers
///          that have nothing to do with each other would lose the same channels, or share what
///          training makes of a vector.
/// Conditions: a floating-point initializer with more than one element, all along one axis, that
///          has several uses. The first user keeps it. Weights of layers stay shared.
[[nodiscard]] Pass split_shared_vectors();

}  // namespace espalier::passes
