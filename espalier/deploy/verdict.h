#pragma once

#include <span>

#include "espalier/deploy/operator_check.h"
#include "espalier/deploy/verify.h"

namespace espalier::deploy {

/// Adds to `report.failures` every bound that its measured facts break, and to `report.notes` what
/// is worth knowing (slower where that is allowed, a speed-up within the noise).
void judge(EngineReport& report, const VerifyBounds& bounds);

/// Adds to the failures of each engine its operators that are more than one quantization step from
/// the simulation, and to its notes those that could not be compared.
void judge_operators(VerifyReport& report, std::span<const OperatorDifference> operators);

}  // namespace espalier::deploy
