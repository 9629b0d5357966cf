#include "espalier/train/freeze.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"

namespace espalier::train {
namespace {

/// True when a glob matches; marks every glob that does.
bool matches(const std::string& name, const std::vector<std::string>& patterns,
             std::vector<bool>& used) {
  bool any = false;
  for (std::size_t index = 0; index < patterns.size(); ++index) {
    if (!base::matches_glob(patterns[index], name)) continue;
    used[index] = any = true;
  }
  return any;
}

}  // namespace

void Freezer::apply(const exec::Program& program, const std::vector<std::string>& patterns) {
  held_.clear();
  std::vector<bool> used(patterns.size(), false);
  for (const auto& [name, parameter] : program.parameters()) {
    parameter.set_requires_grad(!matches(name, patterns, used));
  }
  for (const auto& [name, buffer] : program.buffers()) {
    if (matches(name, patterns, used)) held_.push_back({.buffer = buffer, .value = buffer.clone()});
  }
  const auto unused = std::ranges::find(used, false);
  if (unused == used.end()) return;
  std::vector<std::string> known;
  for (const exec::TensorMap* map : {&program.parameters(), &program.buffers()}) {
    for (const auto& [name, tensor] : *map) known.push_back(name);
  }
  const std::string& pattern = patterns[static_cast<std::size_t>(unused - used.begin())];
  throw base::UserError(base::Problem{.what = "nothing to freeze has this name",
                                      .got = "'" + pattern + "'",
                                      .hint = base::nearest_name(pattern, known)});
}

void Freezer::restore_buffers() const {
  const at::NoGradGuard no_gradients;
  for (const Held& one : held_) one.buffer.copy_(one.value);
}

}  // namespace espalier::train
