#pragma once

#include "espalier/cli/command.h"

namespace espalier::cli {

/// @name One function a command, each in a file of its own; listed in cli/table.cpp.
/// @{
RunCommand add_quantize(CLI::App& app);
RunCommand add_prune(CLI::App& app);
RunCommand add_train(CLI::App& app);
RunCommand add_evaluate(CLI::App& app);
RunCommand add_predict(CLI::App& app);
RunCommand add_export(CLI::App& app);
RunCommand add_verify(CLI::App& app);
RunCommand add_bench(CLI::App& app);
RunCommand add_inspect(CLI::App& app);
RunCommand add_report(CLI::App& app);
RunCommand add_sensitivity(CLI::App& app);
/// @}

}  // namespace espalier::cli
