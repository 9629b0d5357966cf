#include "espalier/quant/target.h"

#include <algorithm>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"

namespace espalier::quant {
namespace {

const Target* lookup(std::string_view name) {
  const auto all = targets();
  const auto place = std::ranges::find(all, name, &Target::name);
  return place == all.end() ? nullptr : &*place;
}

const Target* base_of(const Target& target) {
  return target.base.empty() ? nullptr : lookup(target.base);
}

}  // namespace

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const Target& target : targets()) names.emplace_back(target.name);
  return names;
}

const Target& find_target(std::string_view name) {
  if (const Target* target = lookup(name)) return *target;
  const std::vector<std::string> names = target_names();
  throw base::UserError({.what = "unknown target",
                         .got = "'" + std::string(name) + "'",
                         .hint = base::suggest_name(name, names)});
}

const Formats& formats(const Target& target) {
  const Target* row = &target;
  while (row != nullptr && !row->formats) row = base_of(*row);
  base::invariant(row != nullptr, "target '{}' has no formats", target.name);
  return *row->formats;
}

const OpRule* find_rule(const Target& target, std::string_view op) {
  for (const Target* row = &target; row != nullptr; row = base_of(*row)) {
    const auto place = std::ranges::find(row->rules, op, &OpRule::op);
    if (place != row->rules.end()) return &*place;
  }
  return nullptr;
}

}  // namespace espalier::quant
