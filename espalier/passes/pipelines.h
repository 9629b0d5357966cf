#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// A pass that needs no plan, by name.
struct PassRow {
  std::string_view name;
  std::string_view summary;
  Pass (*make)();
};
/// All of them, by name.
[[nodiscard]] std::span<const PassRow> pass_table();
/// Throws UserError with a suggestion for an unknown name.
[[nodiscard]] Pass make_pass(std::string_view name);

/// A named list of passes: data.
struct Pipeline {
  std::string_view name;
  std::string_view summary;
  std::span<const std::string_view> passes;
};
[[nodiscard]] std::span<const Pipeline> pipelines();
/// The passes of a named pipeline. Throws UserError with a suggestion for an unknown name.
[[nodiscard]] std::vector<Pass> make_pipeline(std::string_view name);

/// What every imported graph goes through before it is run, trained or pruned: constants and shape
/// arithmetic folded, nodes that do nothing removed. Keeps Dropout and BatchNormalization.
[[nodiscard]] std::vector<Pass> simplify();
/// simplify, and vectors of parameters of their own for every layer: what channel groups are found
/// in. Dropout and BatchNormalization stay.
[[nodiscard]] std::vector<Pass> prepare_for_pruning();
/// Vectors of parameters of their own for every layer and nothing else: what a float training
/// starts from, which would change tied ones together.
[[nodiscard]] std::vector<Pass> untie_vectors();
/// simplify, and then what makes a graph fit for quantization: no Dropout, BatchNormalization
/// folded into weights, operators that engines compute in integers, every layer with a bias of its
/// own.
[[nodiscard]] std::vector<Pass> prepare_for_quantization();

/// The same without folding BatchNormalization into the layers before it: what
/// insert_training_quantizers works on. Preparing its result gives what preparing the model gives.
[[nodiscard]] std::vector<Pass> prepare_for_training();
/// Settles quantizers of a trained graph (parameters written back), then folds BatchNormalization:
/// the simulated graph that will be shipped.
[[nodiscard]] std::vector<Pass> finish_training();

/// One name a line, "(to fixed point)" behind those that repeat: for run records.
[[nodiscard]] std::string to_text(std::span<const Pass> passes);
/// One line a record: name, changes, milliseconds.
[[nodiscard]] std::string to_text(std::span<const PassRecord> records);

}  // namespace espalier::passes
