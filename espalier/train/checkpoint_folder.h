#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "espalier/train/checkpoint.h"

namespace espalier::train {

/// The checkpoints of a run: `step-<number>.espalier`, the newest few kept, and `best.espalier`.
class CheckpointFolder {
 public:
  /// `keep` >= 1 newest step files stay.
  CheckpointFolder(std::filesystem::path folder, int keep);

  /// Writes the file of the checkpoint's step, then removes the oldest beyond `keep` and those of
  /// later steps, which an earlier run left. Returns its path.
  std::filesystem::path save(const Checkpoint& checkpoint) const;
  /// Writes best.espalier.
  void save_best(const Checkpoint& checkpoint) const;

  /// The newest checkpoint that can be read; damaged ones are named in a warning and passed over.
  /// Nothing when there is no file (with a warning where the best model is there alone). Throws
  /// UserError when there are files and none can be read.
  [[nodiscard]] std::optional<Checkpoint> latest() const;
  /// Step files, oldest first.
  [[nodiscard]] std::vector<std::filesystem::path> files() const;
  [[nodiscard]] std::filesystem::path best_path() const;
  /// Removes unfinished files that a killed process left.
  void remove_leftovers() const;

 private:
  std::filesystem::path folder_;
  int keep_;
};

}  // namespace espalier::train
