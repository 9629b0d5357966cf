#pragma once

#include <string>
#include <string_view>

#include "espalier/train/checkpoint.h"

namespace espalier::train {

/// The JSON text of a training state; equal states give equal text.
[[nodiscard]] std::string state_to_text(const TrainState& state);

/// Reads it back, numbers bit for bit. Throws UserError naming `source` and what is wrong.
[[nodiscard]] TrainState state_from_text(std::string_view text, std::string_view source);

}  // namespace espalier::train
