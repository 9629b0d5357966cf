#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace espalier::recipe {

/// @name Where a training stage keeps its state in `checkpoints` of the run folder
/// @{

/// Its result, once it is finished.
[[nodiscard]] std::filesystem::path stage_file(const std::filesystem::path& run, std::size_t index);
/// The folder of its checkpoints, relative to the run folder.
[[nodiscard]] std::string stage_folder(std::size_t index);

/// @}

/// Removes what stands for stage `index` as finished, and everything of later stages: they
/// followed from it. Its own checkpoints stay.
void forget_from(const std::filesystem::path& run, std::size_t index);

/// Removes everything of every stage.
void forget_all(const std::filesystem::path& run);

/// True when the folder holds training that it would be a loss to replace: a finished stage, or
/// checkpoints behind the first step.
[[nodiscard]] bool holds_training(const std::filesystem::path& run);

}  // namespace espalier::recipe
