#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/exec/program.h"

namespace espalier::train {

/// Parameters and buffers of these names keep their values from an epoch (from 0) on.
struct FreezeRule {
  std::string pattern;  ///< glob
  std::int64_t from_epoch = 0;
};

/// Throws UserError for a glob that matches no parameter and no buffer, with the nearest name, and
/// for globs that together freeze every parameter.
void check_freezable(const exec::Program& program, const std::vector<std::string>& patterns);

/// What is frozen in a program. A frozen parameter needs no gradient, so backward passes leave its
/// part out and optimizers leave it and its state alone. A frozen buffer gets its value back after
/// every step; BatchNormalization goes on normalizing by the batch.
class Freezer {
 public:
  /// Freezes what matches a glob, and thaws everything else. Throws as check_freezable.
  void apply(const exec::Program& program, const std::vector<std::string>& patterns);
  /// Gives frozen buffers back the values they had at apply(); after every training step.
  void restore_buffers() const;

 private:
  /// A buffer of the program and its value.
  struct Held {
    Tensor buffer;
    Tensor value;
  };
  std::vector<Held> held_;
};

}  // namespace espalier::train
