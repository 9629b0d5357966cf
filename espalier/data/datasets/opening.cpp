#include "espalier/data/datasets/opening.h"

#include <algorithm>
#include <system_error>

#include "espalier/base/log.h"

namespace espalier::data {

std::filesystem::path Opening::resolve(const std::string& path) const {
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) return path;
  const std::filesystem::path beside = folder / path;
  return std::filesystem::exists(beside, ignored) ? beside : std::filesystem::path(path);
}

void log_skipped(std::string_view what, const std::vector<std::string>& problems) {
  constexpr std::size_t kShown = 10;
  const std::size_t shown = std::min(problems.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) base::log_warning("left out: {}", problems[i]);
  if (problems.size() > shown) {
    base::log_warning("{}: {} more left out", what, problems.size() - shown);
  }
}

}  // namespace espalier::data
