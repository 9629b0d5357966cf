#pragma once

#include <string>

#include "espalier/train/loop.h"

namespace espalier::train {

/// "[Train][Epoch 1/10][Iter: 20/469]lr: ..., loss: ..., top1: ..., batch_cost: ... s,
/// reader_cost: ... s, ips: ... samples/s, eta: 0:01:23": means over the epoch so far.
[[nodiscard]] std::string train_line(const StepReport& report);

/// "[Train][Epoch 1/10][Avg]loss: ..., top1: ...".
[[nodiscard]] std::string epoch_line(const EpochReport& report);

/// "[Eval][Epoch 1][Avg]loss: ..., top1: ..., [best top1: ... of epoch 1]".
[[nodiscard]] std::string evaluation_line(const EpochReport& report);

/// "0:01:23".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace espalier::train
