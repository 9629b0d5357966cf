#include "espalier/passes/pass.h"

#include <algorithm>
#include <chrono>
#include <set>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/log.h"
#include "espalier/base/name_match.h"
#include "espalier/ir/verifier.h"

namespace espalier::passes {
namespace {

/// A pass that still changes something after so many rounds undoes its own work.
constexpr int kMaxRounds = 100;

void check_disabled(const std::vector<Pass>& passes, const std::vector<std::string>& disabled) {
  std::vector<std::string> known;
  for (const Pass& pass : passes) {
    if (std::ranges::find(known, pass.name) == known.end()) known.push_back(pass.name);
  }
  for (const std::string& name : disabled) {
    if (std::ranges::find(known, name) != known.end()) continue;
    throw base::UserError({.what = "cannot disable a pass that is not in the pipeline",
                           .got = fmt::format("'{}'", name),
                           .hint = base::suggest_name(name, known)});
  }
}

std::size_t apply(const Pass& pass, ir::Graph& graph) {
  if (!pass.to_fixed_point) return pass.apply(graph);
  std::size_t total = 0;
  for (int round = 0; round < kMaxRounds; ++round) {
    const std::size_t changes = pass.apply(graph);
    if (changes == 0) return total;
    total += changes;
  }
  base::invariant(false, "pass '{}' still changes the graph after {} rounds", pass.name,
                  kMaxRounds);
  return total;
}

}  // namespace

std::vector<PassRecord> run(ir::Graph& graph, const std::vector<Pass>& passes,
                            const RunOptions& options) {
  check_disabled(passes, options.disabled);
  const std::set<std::string, std::less<>> disabled(options.disabled.begin(),
                                                    options.disabled.end());
  std::vector<PassRecord> records;
  for (const Pass& pass : passes) {
    if (disabled.contains(pass.name)) continue;
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t changes = apply(pass, graph);
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin;
    records.push_back({.name = pass.name, .changes = changes, .seconds = elapsed.count()});
    if (changes == 0) continue;
    base::log_debug("pass {}: {} changes in {:.1f} ms", pass.name, changes, elapsed.count() * 1000);
    if (options.verify) ir::verify_or_throw(graph, fmt::format("pass '{}'", pass.name));
    if (options.after) options.after(pass.name, graph);
  }
  return records;
}

}  // namespace espalier::passes
