#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "espalier/report/json.h"

namespace espalier::recipe {

struct TimingRequest {
  std::vector<std::filesystem::path> models;  ///< the first is the reference
  std::vector<std::string> engines = {};      ///< empty: all
  int rounds = 50;
  std::int64_t batch = 1;
  std::int64_t unknown_size = 224;
  int threads = 1;
  std::uint64_t seed = 0;
};

/// Times every model in every engine, interleaved in one run; `{rows: [{model, engine, version,
/// median_ms, p10_ms, p90_ms, speed, speed_low, speed_high}], cpu}` with speed against the first
/// model in the same engine, its interval from 6 rounds on. Throws UserError for files or engines
/// that cannot be loaded.
[[nodiscard]] report::Json time_models(const TimingRequest& request);

/// A table of it.
[[nodiscard]] std::string timing_text(const report::Json& json);

}  // namespace espalier::recipe
