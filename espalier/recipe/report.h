#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "espalier/analysis/cost.h"
#include "espalier/ir/graph.h"
#include "espalier/recipe/quantization.h"
#include "espalier/report/html.h"
#include "espalier/report/json.h"
#include "espalier/train/checkpoint.h"

namespace espalier::recipe {

/// What the reports of a run are made of.
struct RunFacts {
  std::string title = {};    ///< model file or recipe
  std::string command = {};  ///< repeats the run
  std::uint64_t seed = 0;
  int threads = 1;
  const ir::Graph* graph = nullptr;                  ///< the float model
  const QuantizationResult* quantization = nullptr;  ///< null: the run did not quantize
  const report::Json* pruning = nullptr;             ///< section `pruning`; null: not pruned
  std::optional<train::TrainState> training = std::nullopt;
  double training_seconds = 0;
  /// Costs of the model before and after a training that cut channels.
  std::optional<std::pair<analysis::CostTable, analysis::CostTable>> cut = std::nullopt;
};

/// Version of report.json.
inline constexpr std::int64_t kReportVersion = 1;

/// report.json (docs/formats.md).
[[nodiscard]] report::Json report_json(const RunFacts& facts);

/// report.html as values.
[[nodiscard]] report::Page report_page(const report::Json& json);

/// Table and verdict for the terminal.
[[nodiscard]] std::string report_text(const report::Json& json);

}  // namespace espalier::recipe
