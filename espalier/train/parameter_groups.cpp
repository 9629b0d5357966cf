#include "espalier/train/parameter_groups.h"

#include <algorithm>
#include <cmath>

#include "espalier/base/check.h"
#include "espalier/base/name_match.h"
#include "espalier/ops/estimator.h"
#include "espalier/ops/facts.h"

namespace espalier::train {
namespace {

/// What the nodes of a graph use a parameter for.
struct Role {
  bool norm = false;
  bool bias = false;
  bool quantizer = false;
  bool scale = false;  ///< of a quantizer, or its clip value
};

/// True for scales, and for what a scale is derived from: the clip value of pact.
bool is_scale(const ir::Use& use) {
  const ops::OpFacts* facts = ops::find(*use.node);
  if (facts == nullptr || facts->kind != ops::OpKind::Quantize) return false;
  if (use.index == ops::kScale) return true;
  const ops::Estimator* estimator = ops::estimator_of(*use.node);
  return estimator != nullptr && use.index == ops::kEstimatorState &&
         ops::contains(estimator->learned, use.index) &&
         ops::contains(estimator->observed, ops::kScale);
}

/// Looks at the uses of a value, also behind nodes that only quantize or rename it.
void collect_role(const ir::Value& value, Role& role) {
  for (const ir::Use& use : value.uses()) {
    const ops::OpFacts* facts = ops::find(*use.node);
    if (facts == nullptr) continue;
    if (facts->kind == ops::OpKind::Normalization) role.norm = true;
    if (facts->bias == static_cast<int>(use.index)) role.bias = true;
    if (facts->kind == ops::OpKind::Quantize && use.index > 0) role.quantizer = true;
    if (is_scale(use)) role.scale = true;
    const bool passes_on = facts->kind == ops::OpKind::Quantize || use.node->is("Identity");
    if (passes_on && use.index == 0 && use.node->output() != nullptr) {
      collect_role(*use.node->output(), role);
    }
  }
}

void check_options(const GroupOptions& options) {
  const auto check_decay = [](double decay) {
    base::check(std::isfinite(decay) && decay >= 0,
                "weight decay: got {}, expected a number of 0 or more", decay);
  };
  const auto check_scale = [](std::string_view of, double scale) {
    base::check(std::isfinite(scale) && scale >= 0,
                "learning rate scale of {}: got {}, expected a number of 0 or more", of, scale);
  };
  check_decay(options.weight_decay);
  check_scale("quantizers", options.quantizer_lr_scale);
  for (const GroupRule& rule : options.rules) {
    if (rule.weight_decay) check_decay(*rule.weight_decay);
    if (rule.lr_scale) check_scale(fmt::format("'{}'", rule.pattern), *rule.lr_scale);
  }
}

/// The numbers of a parameter without a rule.
ParameterGroup numbers_by_role(const ir::Value& value, const GroupOptions& options) {
  Role role;
  collect_role(value, role);
  const bool spared = role.quantizer || (role.norm && !options.decay_norms) ||
                      (role.bias && !role.norm && !options.decay_biases);
  return {.names = {},
          .weight_decay = spared ? 0 : options.weight_decay,
          .lr_scale = role.quantizer ? options.quantizer_lr_scale : 1,
          .relative = role.scale};
}

}  // namespace

std::vector<ParameterGroup> group_parameters(const ir::Graph& graph,
                                             const std::vector<std::string>& parameters,
                                             const GroupOptions& options) {
  check_options(options);
  std::vector<bool> used(options.rules.size(), false);
  std::vector<ParameterGroup> groups;
  for (const std::string& name : parameters) {
    const ir::Value* value = graph.find_value(name);
    base::invariant(value != nullptr, "the graph has no parameter '{}'", name);
    ParameterGroup numbers = numbers_by_role(*value, options);
    const auto rule = std::ranges::find_if(options.rules, [&](const GroupRule& candidate) {
      return base::matches_glob(candidate.pattern, name);
    });
    if (rule != options.rules.end()) {
      used[static_cast<std::size_t>(rule - options.rules.begin())] = true;
      numbers.weight_decay = rule->weight_decay.value_or(numbers.weight_decay);
      numbers.lr_scale = rule->lr_scale.value_or(numbers.lr_scale);
    }
    const auto group = std::ranges::find_if(groups, [&](const ParameterGroup& candidate) {
      return candidate.weight_decay == numbers.weight_decay &&
             candidate.lr_scale == numbers.lr_scale && candidate.relative == numbers.relative;
    });
    ParameterGroup& home = group != groups.end() ? *group : groups.emplace_back(std::move(numbers));
    home.names.push_back(name);
  }
  for (std::size_t index = 0; index < used.size(); ++index) {
    if (used[index]) continue;
    throw base::UserError({.what = "a parameter rule matches nothing",
                           .got = fmt::format("'{}'", options.rules[index].pattern),
                           .hint = base::suggest_name(options.rules[index].pattern, parameters)});
  }
  return groups;
}

}  // namespace espalier::train
