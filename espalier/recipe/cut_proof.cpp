#include "espalier/recipe/cut_proof.h"

#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::recipe {
namespace {

std::string failure_of(const passes::CutCheck& check, const passes::CheckCutOptions& options) {
  if (check.passed) return "";
  if (!check.is_number) {
    return "the cut could not be checked: with drawn parameters the network itself gives numbers "
           "that are not finite (a logarithm or a root of what is negative, perhaps)";
  }
  std::string failure = fmt::format(
      "the cut is not proven: cut and masked model differ by {:.2e} in float64 and {:.2e} in "
      "float32, a wrong cut by {}",
      check.difference64, check.difference32,
      check.wrong_difference ? fmt::format("{:.2e}", *check.wrong_difference) : "nothing");
  if (check.weakest_share < options.least_share) {
    failure += fmt::format(
        "; '{}' adds an operand of {:.2f} % of the sum, in which a wrong cut could hide",
        check.weakest_node, 100 * check.weakest_share);
  }
  return failure;
}

}  // namespace

CutProof prove_cut(const ir::Graph& graph, const prune::PrunePlan& plan,
                   const passes::CheckCutOptions& options) {
  const auto not_checked = [](const base::Error& error) {
    return CutProof{.failure = fmt::format("the cut could not be checked: {}", error.what())};
  };
  try {
    const passes::CutCheck check = passes::check_cut(graph, plan, options);
    return {.check = check, .failure = failure_of(check, options)};
  } catch (const base::UserError& error) {
    return not_checked(error);
  } catch (const base::UnsupportedError& error) {
    return not_checked(error);
  }
}

report::Json to_json(const passes::CutCheck& check) {
  using report::Json;
  return Json::object(
      {{"passed", check.passed},
       {"difference64", check.difference64},
       {"difference32", check.difference32},
       {"wrong_difference", check.wrong_difference ? Json(*check.wrong_difference) : Json()},
       {"weakest_share", check.weakest_share},
       {"weakest_node", check.weakest_node}});
}

}  // namespace espalier::recipe
