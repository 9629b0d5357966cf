#include "tests/integration/random_plan.h"

#include <algorithm>
#include <cmath>

#include "espalier/base/error.h"
#include "espalier/base/random.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/prune/plan_composition.h"

namespace espalier::prune_test {

prune::PrunePlan random_plan(const ir::Graph& graph, std::uint64_t seed, double share,
                             std::optional<prune::CouplingChoices> earlier) {
  const prune::ChannelMap map(graph, std::move(earlier));
  prune::Removal removal(map);
  base::Random random(seed);
  for (const prune::ChannelGroup& group : map.groups()) {
    if (!group.can_be_cut()) continue;
    std::vector<prune::ChannelId> free;
    for (const prune::ChannelId channel : group.channels) {
      if (!map.is_fixed(channel)) free.push_back(channel);
    }
    random.shuffle(std::span(free));
    const auto wanted =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(group.channels.size())));
    const std::size_t count = std::min({wanted, free.size(), group.channels.size() - 1});
    for (std::size_t index = 0; index < count; ++index) removal.remove(free[index]);
  }
  return prune::make_plan(removal, graph);
}

testing::AssertionResult two_cuts_are_one(const ir::Graph& whole, std::uint64_t seed,
                                          double share) {
  // The first cut removes what no output depends on, and with it what that forbids.
  ir::Graph graph = whole.clone();
  graph.erase_dead();
  const prune::ChannelMap map(graph);
  const prune::PrunePlan first = random_plan(graph, seed, share);
  ir::Graph in_steps = graph.clone();
  const prune::CutMap cuts = passes::cut_channels(in_steps, first);
  const prune::PrunePlan second = random_plan(in_steps, seed + 1, share, map.choices());
  passes::cut_channels(in_steps, second, map.choices());
  ir::Graph at_once = graph.clone();
  const prune::PrunePlan both = prune::compose_plans(first, cuts, second);
  try {
    passes::cut_channels(at_once, both);
  } catch (const base::UserError& error) {
    return testing::AssertionFailure() << error.what();
  }
  for (const ir::Value* value : in_steps.initializers()) {
    const ir::Value* other = at_once.find_value(value->name());
    // Constants that a cut adds are named after their node and may differ in number.
    if (graph.find_value(value->name()) == nullptr) continue;
    if (other == nullptr || !value->constant().equal(other->constant())) {
      return testing::AssertionFailure() << "'" << value->name() << "' differs";
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace espalier::prune_test
