#pragma once

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// Before   y = Pad(x, pads, 0)      z = Conv(y, W, b), pads q
/// After    z = Conv(x, W, b), pads q + p      (p: the spatial part of the Pad's pads)
/// Also     AveragePool in the place of Conv when it counts padded elements or has no padding of
/// its
///          own; it then counts padded elements.
/// Conditions: mode "constant" with value 0; constant non-negative pads on spatial dimensions only;
///          the Conv pads explicitly (auto_pad NOTSET or VALID); an AveragePool rounds sizes down.
///          Other users of the Pad keep it.
[[nodiscard]] Pass fuse_pad_into_conv();

}  // namespace espalier::passes
