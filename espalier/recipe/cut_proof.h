#pragma once

#include <optional>
#include <string>

#include "espalier/passes/check_cut.h"
#include "espalier/report/json.h"

namespace espalier::recipe {

struct CutProof {
  std::optional<passes::CutCheck> check = std::nullopt;  ///< nothing: the graph could not be run
  std::string failure = {};                              ///< for the user; empty: proven
};

/// passes::check_cut in words: a model that cannot be run or compared is a failure as well.
[[nodiscard]] CutProof prove_cut(const ir::Graph& graph, const prune::PrunePlan& plan,
                                 const passes::CheckCutOptions& options);

/// What a proof gave, as in report.json and in the coverage of networks.
[[nodiscard]] report::Json to_json(const passes::CutCheck& check);

}  // namespace espalier::recipe
