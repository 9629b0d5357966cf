#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "espalier/recipe/yaml.h"

namespace espalier::recipe {

/// A map with exactly one entry, `{cosine: {...}}`: its name and its value, which it borrows.
struct Choice {
  std::string name;
  const YamlValue& value;
};

/// Throws UserError when the value is not such a map; `what` names it in messages.
[[nodiscard]] Choice single_entry(const YamlValue& map, std::string_view what);

/// Throws UserError naming the nearest known name.
[[noreturn]] void refuse_choice(std::string_view what, const Choice& choice,
                                const std::vector<std::string>& known);

}  // namespace espalier::recipe
