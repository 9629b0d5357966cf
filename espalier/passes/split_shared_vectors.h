#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = BatchNormalization(x, s, b, m, v)   z = BatchNormalization(y, s, b, m, v)
/// After    y = BatchNormalization(x, s, b, m, v)   z = BatchNormalization(y, s_1, b_1, m_1, v_1)
/// Why      exporters store equal constants once, and fresh normalizations are all equal: layers
///          that have nothing to do with each other would lose the same channels, or share what
///          training makes of a vector.
/// Conditions: a floating-point initializer, all of it along one axis, that has several uses; one
///          element only at normalizations. The first user keeps it. Weights of layers stay shared,
///          and the bias of a layer that is used several times with them.
[[nodiscard]] Pass split_shared_vectors();

}  // namespace espalier::passes
