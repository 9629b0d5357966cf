// Random graphs, random plans: the proof holds.
#include <cstdlib>
#include <string>

#include <gtest/gtest.h>

#include "espalier/passes/check_cut.h"
#include "tests/kit/graph_text.h"
#include "tests/prune/random_network.h"
#include "tests/prune/random_plan.h"

namespace espalier::passes {
namespace {

/// ESPALIER_FUZZ_SEEDS, or what fits into a test that runs every time.
std::uint64_t num_seeds() {
  const char* text = std::getenv("ESPALIER_FUZZ_SEEDS");  // NOLINT(concurrency-mt-unsafe)
  return text == nullptr ? 300 : std::stoull(text);
}

TEST(RandomNetworks, CutEqualsMasked) {
  std::uint64_t with_cuts = 0;
  for (std::uint64_t seed = 1; seed <= num_seeds(); ++seed) {
    const ir::Graph graph = prune_test::random_network(seed);
    const double share = 0.2 + 0.15 * static_cast<double>(seed % 5);
    const prune::PrunePlan plan = prune_test::random_plan(graph, seed, share);
    with_cuts += plan.cuts.empty() ? 0 : 1;
    const CutCheck check = check_cut(graph, plan, {.seed = seed, .draw = seed % 2 == 0});
    ASSERT_LE(check.difference64, 1e-10) << "seed " << seed << "\n" << kit::to_text(graph);
    ASSERT_LE(check.difference32, 2e-3) << "seed " << seed << "\n" << kit::to_text(graph);
  }
  // Most graphs must have something to cut, or the test proves nothing.
  EXPECT_GE(with_cuts, num_seeds() * 4 / 5);
}

}  // namespace
}  // namespace espalier::passes
