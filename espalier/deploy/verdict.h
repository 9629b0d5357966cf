#pragma once

#include "espalier/deploy/verify.h"

namespace espalier::deploy {

/// Adds to `report.failures` every bound that its measured facts break, and to `report.notes` what
/// is worth knowing (slower where that is allowed, a speed-up within the noise).
void judge(EngineReport& report, const VerifyBounds& bounds);

}  // namespace espalier::deploy
