#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/weights/safetensors.h"

namespace espalier::train {

/// Values of named metrics.
using MetricValues = std::map<std::string, double>;

/// Sums behind a running mean, so that a resumed epoch reports what an unbroken one does.
struct MeterState {
  double sum = 0;
  double weight = 0;
  bool operator==(const MeterState&) const = default;
};

/// What one finished epoch gave.
struct EpochRecord {
  std::int64_t epoch = 0;   ///< from 1
  MetricValues training;    ///< means over the epoch
  MetricValues evaluation;  ///< empty when the epoch was not evaluated
  bool operator==(const EpochRecord&) const = default;
};

/// Where a training run stands: all that is needed, beside the tensors, to continue it.
struct TrainState {
  std::int64_t epoch = 0;          ///< finished epochs
  std::int64_t step_in_epoch = 0;  ///< finished steps of the epoch under way
  std::int64_t data_offset = 0;    ///< where the batch source stands in that epoch
  std::int64_t step = 0;           ///< finished steps of all epochs
  std::int64_t steps_per_epoch = 0;
  std::uint64_t seed = 0;  ///< random numbers are functions of seed, epoch and step
  std::string optimizer;   ///< one line each: what the run was made with
  std::string schedule;
  std::string best_metric;  ///< name; empty when nothing was evaluated
  double best_value = 0;
  std::int64_t best_epoch = 0;
  std::map<std::string, MeterState> meters;  ///< of the epoch under way
  std::vector<EpochRecord> history;
  std::string config;  ///< resolved recipe text
  int threads = 0;
  std::string instruction_set;
  std::map<std::string, std::string> versions;
  bool operator==(const TrainState&) const = default;
};

/// A trained model or a run in the middle: loaded with nothing else.
struct Checkpoint {
  ir::Graph graph;                       ///< initializers hold the trained values
  std::optional<TrainState> state = {};  ///< missing in a file that holds a model only
  weights::TensorMap slots = {};         ///< of the optimizer, "<slot>/<parameter>"
};

/// The bytes of the container (docs/formats.md): the same checkpoint gives the same bytes.
[[nodiscard]] std::string encode_checkpoint(const Checkpoint& checkpoint);

/// Reads a container. `source` names it in messages. A file that is cut, changed in any bit, or of
/// a later version is refused with UserError.
[[nodiscard]] Checkpoint decode_checkpoint(std::string_view bytes, std::string_view source);

[[nodiscard]] Checkpoint read_checkpoint(const std::filesystem::path& path);
/// Appears whole or not at all.
void write_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint);

}  // namespace espalier::train
