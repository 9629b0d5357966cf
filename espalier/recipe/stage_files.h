#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace espalier::recipe {

/// A stage, or one of several trainings inside it.
struct StagePart {
  std::size_t stage = 0;
  std::int64_t part = 0;  ///< from 1 where a stage trains several times; 0: the stage itself
};

/// @name Where a stage keeps its state in `checkpoints` of the run folder
/// @{

/// Its result, once it is finished: `stage-2.espalier`, of a part `stage-2-1.espalier`.
[[nodiscard]] std::filesystem::path stage_file(const std::filesystem::path& run,
                                               const StagePart& place);
/// Facts for the report beside the result, relative to the run folder: `stage-2.json`.
[[nodiscard]] std::string stage_facts(const StagePart& place);
/// The plan of a finished `prune` beside them, relative to the run folder: `stage-2.yaml`.
[[nodiscard]] std::string stage_plan(const StagePart& place);
/// The folder of its checkpoints, relative to the run folder: `stage-2`.
[[nodiscard]] std::string stage_folder(const StagePart& place);

/// @}

/// Removes what stands for this part and its stage as finished, and everything of later parts and
/// stages: they followed from it. Its own checkpoints stay.
void forget_from(const std::filesystem::path& run, const StagePart& place);

/// Removes everything of every stage.
void forget_all(const std::filesystem::path& run);

/// True when the folder holds training that it would be a loss to replace: a finished stage, or
/// checkpoints behind the first step.
[[nodiscard]] bool holds_training(const std::filesystem::path& run);

}  // namespace espalier::recipe
