#pragma once

#include <filesystem>
#include <string_view>

#include "espalier/deploy/engine.h"

namespace espalier::deploy {

/// Opens one engine module by its path; `name` is for messages. The module stays open and the
/// engine lives as long as the process. Throws UnsupportedError, saying what is missing, when the
/// file is absent, one of its libraries is absent, it is no engine module, or another build made
/// it.
[[nodiscard]] Engine& open_module(const std::filesystem::path& file, std::string_view name);

/// Folder of the running program, where the modules lie.
[[nodiscard]] std::filesystem::path module_folder();

}  // namespace espalier::deploy
