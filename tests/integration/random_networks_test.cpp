// Random graphs, random plans: the proof holds.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "espalier/passes/check_cut.h"
#include "tests/integration/random_network.h"
#include "tests/integration/random_plan.h"
#include "tests/kit/graph_text.h"

namespace espalier::passes {
namespace {

std::uint64_t number_in(const char* variable, std::uint64_t fallback) {
  const char* text = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? fallback : std::stoull(text);
}

TEST(RandomNetworks, CutEqualsMasked) {
  // The variables repeat one seed or run many; without them, what fits into a test of every day.
  const std::uint64_t first = number_in("ESPALIER_FUZZ_FIRST", 1);
  const std::uint64_t last = number_in("ESPALIER_FUZZ_SEEDS", 300);
  std::uint64_t with_cuts = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const ir::Graph graph = prune_test::random_network(seed);
    const double share = 0.2 + 0.15 * static_cast<double>(seed % 5);
    const prune::PrunePlan plan = prune_test::random_plan(graph, seed, share);
    with_cuts += plan.cuts.empty() ? 0 : 1;
    const CutCheck check = check_cut(graph, plan, {.seed = seed, .draw = seed % 2 == 0});
    ASSERT_LE(check.difference64, 1e-10) << kit::to_text(graph);
    ASSERT_LE(check.difference32, 1e-4) << kit::to_text(graph);
    ASSERT_TRUE(prune_test::two_cuts_are_one(graph, seed, share / 2)) << kit::to_text(graph);
  }
  // Most graphs must have something to cut, or the test proves nothing.
  EXPECT_GE(with_cuts, (last - first + 1) * 4 / 5);
}

}  // namespace
}  // namespace espalier::passes
