#pragma once

#include <map>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/calibrate.h"
#include "espalier/quant/plan.h"
#include "espalier/quant/planner.h"

namespace espalier::quant {

/// The mean error that weight quantization leaves in each output channel, from the means that
/// calibration found: sum over the inputs of (w - w') E[x] (Nagel et al., "Data-free quantization
/// through weight equalization and bias correction", ICCV 2019, with measured means). By bias
/// initializer; for convolutions and products whose constant bias nothing else uses. Zero padding
/// is not accounted for.
[[nodiscard]] std::map<std::string, std::vector<float>> mean_errors(const ir::Graph& prepared,
                                                                    const QuantPlan& plan,
                                                                    const Statistics& statistics);

/// Adds to the plan, layer by layer in graph order, those corrections that lower `error`; layers
/// that the plan corrects already are left alone. Returns how many were kept.
int correct_biases(const ir::Graph& prepared, QuantPlan& plan, const Statistics& statistics,
                   const PlanError& error);

}  // namespace espalier::quant
