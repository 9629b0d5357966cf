#include "espalier/recipe/choice.h"

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::recipe {

Choice single_entry(const YamlValue& map, std::string_view what) {
  if (map.kind != YamlValue::Kind::Map || map.entries.size() != 1) {
    throw base::UserError({.what = fmt::format("bad value of '{}'", what),
                           .where = map.where(),
                           .got = map.describe(),
                           .expected = "a map with one entry, 'name: {...}'"});
  }
  return {map.entries.front().first, map.entries.front().second};
}

void refuse_choice(std::string_view what, const Choice& choice,
                   const std::vector<std::string>& known) {
  throw base::UserError({.what = fmt::format("unknown {} '{}'", what, choice.name),
                         .where = choice.value.where(),
                         .hint = base::suggest_name(choice.name, known)});
}

}  // namespace espalier::recipe
