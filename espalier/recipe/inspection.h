#pragma once

#include <filesystem>
#include <string>

#include "espalier/report/json.h"

namespace espalier::recipe {

struct InspectionOptions {
  bool groups = false;  ///< add what pruning may cut (channel_groups.h), as "groups"
};

/// What a model is made of: inputs, outputs, operators, MACs, parameters, memory, every node with
/// its cost, and for a checkpoint the state of its training.
[[nodiscard]] report::Json inspect_model(const std::filesystem::path& model,
                                         const InspectionOptions& options = {});

/// The same for the terminal, with the channel groups where they are there; `nodes`: with the table
/// of nodes.
[[nodiscard]] std::string inspection_text(const report::Json& json, bool nodes);

}  // namespace espalier::recipe
