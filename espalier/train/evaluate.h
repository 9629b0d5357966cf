#pragma once

#include <span>
#include <vector>

#include "espalier/data/sample.h"
#include "espalier/exec/program.h"
#include "espalier/train/batch_source.h"
#include "espalier/train/loss.h"
#include "espalier/train/metric.h"

namespace espalier::train {

/// Adds what a batch gave to the meters: "loss" (the weighted sum), each term when there are
/// several, and every metric. Returns the values of this batch alone.
MetricValues measure(std::span<const Tensor> outputs, const data::Batch& batch,
                     const std::vector<double>& terms, const std::vector<LossTerm>& losses,
                     const std::vector<TopK>& metrics, Meters& meters);

/// Mean losses and metrics of a program over one pass of the source from its start, without
/// gradients. A training program must be in evaluation behaviour (Program::set_training). Throws
/// Interrupted on a signal.
[[nodiscard]] MetricValues evaluate(const exec::Program& program, BatchSource& source,
                                    const std::vector<LossTerm>& losses,
                                    const std::vector<TopK>& metrics);

}  // namespace espalier::train
