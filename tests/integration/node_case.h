#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace espalier::kit {

/// Folders of ONNX node test cases below `root`, sorted by name; empty when there is no such
/// folder.
[[nodiscard]] std::vector<std::filesystem::path> find_node_cases(const std::filesystem::path& root);

/// Runs every data set of a case. Returns "" when all outputs agree, otherwise what went wrong.
/// Floating outputs may differ by 1e-7 + 1e-3 * |expected|; all others must be equal. Graphs with
/// bfloat16 or float16 outputs are computed in float32, where the expected values were rounded
/// after every operator: they may differ by two units of that type's last place in 1 besides.
[[nodiscard]] std::string run_node_case(const std::filesystem::path& folder);

/// Cases that are not expected to pass, with the reason: lines "name reason" below lines
/// "[collection]"; a name may contain '*'. Lines beginning with '#' are comments.
class ExpectedFailures {
 public:
  ExpectedFailures(const std::filesystem::path& file, const std::string& collection);

  /// The reason, or empty when the case must pass.
  [[nodiscard]] std::string reason(const std::string& name) const;
  /// Lines that match none of these cases.
  [[nodiscard]] std::vector<std::string> stale(
      const std::vector<std::filesystem::path>& cases) const;

 private:
  std::map<std::string, std::string> reasons_;
};

}  // namespace espalier::kit
