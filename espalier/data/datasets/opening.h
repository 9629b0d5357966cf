#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/data/config.h"
#include "espalier/data/parameter_reader.h"

namespace espalier::data {

/// What every data set gets when it is opened.
struct Opening {
  ParameterReader& parameters;
  const std::filesystem::path& folder;  ///< second place for relative paths
  BadSamples policy = BadSamples::Error;

  /// A path of the configuration: as it is when it is absolute or exists, else inside `folder`.
  [[nodiscard]] std::filesystem::path resolve(const std::string& path) const;
};

/// Logs what was left out: the first ten one by one, then their number.
void log_skipped(std::string_view what, const std::vector<std::string>& problems);

}  // namespace espalier::data
