#pragma once

#include "espalier/exec/program.h"
#include "espalier/ir/graph.h"
#include "espalier/train/checkpoint.h"

namespace espalier::train {

/// Takes the position, meters, history and best value of a checkpoint over into the state of a run
/// that knows what it was asked to be; warns where that differs from what the checkpoint was made
/// with, since the run then ends with other bytes than an unbroken one.
void take_over(const TrainState& saved, TrainState& state);

/// The tensors that the checkpoint holds for the program's parameters and buffers. Throws UserError
/// naming one that is missing: the checkpoint is of another model.
[[nodiscard]] exec::TensorMap matching_tensors(const ir::Graph& saved,
                                               const exec::Program& program);

}  // namespace espalier::train
