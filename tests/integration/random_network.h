#pragma once

#include <cstdint>

#include "espalier/ir/graph.h"

namespace espalier::prune_test {

/// A random graph of the operators that pruning has rules for: a pool of wires grows by random
/// nodes that read random wires of it; a few of the last ones become outputs. Depends on the seed
/// alone.
[[nodiscard]] ir::Graph random_network(std::uint64_t seed);

}  // namespace espalier::prune_test
