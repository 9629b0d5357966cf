#pragma once

#include <cstdint>
#include <vector>

#include "espalier/prune/plan.h"

namespace espalier::prune {

/// What a network costs, for one sample.
struct NetworkCost {
  std::int64_t macs = 0;        ///< as ops::total_macs counts them
  std::int64_t parameters = 0;  ///< as ops::parameters counts them
  std::int64_t bytes = 0;       ///< of all initializers
  std::int64_t filters = 0;     ///< positions along the filter axes of all layers
  bool operator==(const NetworkCost&) const = default;
};

/// Cost of a graph after any removal, without cutting it.
class CostModel {
 public:
  CostModel(const ir::Graph& graph, const ChannelMap& map);

  [[nodiscard]] NetworkCost cost(const Removal& removal) const;

 private:
  /// A count that shrinks with each of its axes.
  struct Term {
    std::int64_t size = 0;
    std::vector<Axis> axes;
  };
  static std::int64_t after(const Term& term, const Removal& removal);

  std::vector<Term> macs_;
  std::vector<Term> parameters_;
  std::vector<Term> bytes_;
  std::vector<Axis> filters_;
};

}  // namespace espalier::prune
