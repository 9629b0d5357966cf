#include "espalier/train/freeze.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::train {
namespace {

bool matches(const std::string& name, const std::vector<std::string>& patterns) {
  return std::ranges::any_of(
      patterns, [&](const std::string& pattern) { return base::matches_glob(pattern, name); });
}

}  // namespace

void check_freezable(const exec::Program& program, const std::vector<std::string>& patterns) {
  std::vector<std::string> known;
  for (const exec::TensorMap* map : {&program.parameters(), &program.buffers()}) {
    for (const auto& [name, tensor] : *map) known.push_back(name);
  }
  const auto frozen = [&](const auto& named) { return matches(named.first, patterns); };
  if (!program.parameters().empty() && std::ranges::all_of(program.parameters(), frozen)) {
    throw base::UserError({.what = "nothing is left to train: every parameter is frozen",
                           .got = fmt::format("{}", fmt::join(patterns, ", "))});
  }
  for (const std::string& pattern : patterns) {
    const auto fits = [&](const std::string& name) { return base::matches_glob(pattern, name); };
    if (std::ranges::any_of(known, fits)) continue;
    throw base::UserError(base::Problem{.what = "nothing to freeze has this name",
                                        .got = "'" + pattern + "'",
                                        .hint = base::nearest_name(pattern, known)});
  }
}

void Freezer::apply(const exec::Program& program, const std::vector<std::string>& patterns) {
  check_freezable(program, patterns);
  held_.clear();
  for (const auto& [name, parameter] : program.parameters()) {
    parameter.set_requires_grad(!matches(name, patterns));
  }
  for (const auto& [name, buffer] : program.buffers()) {
    if (matches(name, patterns)) held_.push_back({.buffer = buffer, .value = buffer.clone()});
  }
}

void Freezer::restore_buffers() const {
  const at::NoGradGuard no_gradients;
  for (const Held& one : held_) one.buffer.copy_(one.value);
}

}  // namespace espalier::train
