#include "tests/integration/random_plan.h"

#include <algorithm>
#include <cmath>

#include "espalier/base/random.h"

namespace espalier::prune_test {

prune::PrunePlan random_plan(const ir::Graph& graph, std::uint64_t seed, double share) {
  const prune::ChannelMap map(graph);
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

}  // namespace espalier::prune_test
