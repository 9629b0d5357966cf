#pragma once

#include <string>
#include <vector>

#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// A value that two documents do not share.
struct YamlDifference {
  std::string path;    ///< "stages.0.train.epochs"
  std::string before;  ///< empty: it was not there
  std::string after;   ///< empty: it is not there any more
  bool operator==(const YamlDifference&) const = default;
};

/// What differs, in the order of `after`, then what is gone. Scalars are compared as written, maps
/// whatever the order of their keys.
[[nodiscard]] std::vector<YamlDifference> yaml_differences(const YamlValue& before,
                                                           const YamlValue& after);

/// "stages.0.train.epochs: 3 -> 5", "seed: 7 (new)", "seed: 7 (gone)".
[[nodiscard]] std::string to_text(const YamlDifference& difference);

}  // namespace espalier::recipe
