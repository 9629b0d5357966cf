#include "espalier/recipe/prune_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

PruneStage prune_stage_of(const std::string& text) {
  Recipe recipe;
  recipe.seed = 7;
  return parse_prune_stage(parse_yaml(text, "r.yaml"), recipe);
}

TEST(PruneYaml, ReadsEveryKey) {
  const PruneStage stage = prune_stage_of(
      "{target_params: 0.4, criterion: fpgm, strategy: annealing, reduction: max,\n"
      " scaling: global_mean, annealing: {iterations: 5, temperature: 2, cooling: 0.5},\n"
      " align: 8, min_width: 4, max_removed: 0.6, skip: [a*, b], keep_first: true,\n"
      " keep_last: true, iterations: 3, reestimate_bn: false, reconstruct: true, check: true,\n"
      " fine_tune: {epochs: 2}, verify: {engines: [openvino], latency_rounds: 0, samples: 9}}");
  EXPECT_EQ(stage.budget.kind, prune::BudgetKind::Parameters);
  EXPECT_EQ(stage.budget.remaining, 0.4);
  EXPECT_EQ(stage.scores.criterion, "fpgm");
  EXPECT_EQ(stage.scores.reduction, prune::Reduction::Max);
  EXPECT_EQ(stage.scores.scaling, prune::Scaling::GlobalMean);
  EXPECT_EQ(stage.scores.seed, 7U);
  EXPECT_EQ(stage.budget.strategy, prune::Strategy::Annealing);
  EXPECT_EQ(stage.budget.annealing.iterations, 5);
  EXPECT_EQ(stage.budget.annealing.temperature, 2);
  EXPECT_EQ(stage.budget.annealing.cooling, 0.5);
  const prune::Limits& limits = stage.budget.limits;
  EXPECT_EQ(limits.align, 8);
  EXPECT_EQ(limits.min_width, 4);
  EXPECT_EQ(limits.max_removed, 0.6);
  EXPECT_EQ(limits.skip, (std::vector<std::string>{"a*", "b"}));
  EXPECT_FALSE(limits.cut_first);
  EXPECT_FALSE(limits.cut_last);
  EXPECT_EQ(stage.iterations, 3);
  EXPECT_EQ(stage.reestimate_norms, false);
  EXPECT_EQ(stage.reconstruct, true);
  EXPECT_TRUE(stage.check);
  ASSERT_TRUE(stage.fine_tune);
  EXPECT_EQ(stage.fine_tune->options.epochs, 2);
  EXPECT_EQ(std::get<train::CosineSchedule>(stage.fine_tune->options.schedule.shape).lr, 0.01);
  EXPECT_EQ(stage.verify.engines, std::vector<std::string>{"openvino"});
  EXPECT_EQ(stage.verify.latency_rounds, 0);
  EXPECT_EQ(stage.verify.samples, 9);
}

TEST(PruneYaml, HasDefaultsAndOtherBudgets) {
  const PruneStage stage = prune_stage_of("{pruned_ratio: 0.3}");
  EXPECT_EQ(stage.budget.kind, prune::BudgetKind::Filters);
  EXPECT_DOUBLE_EQ(stage.budget.remaining, 0.7);
  EXPECT_EQ(stage.budget.limits.align, 16);
  EXPECT_EQ(stage.scores.criterion, "l1");
  EXPECT_FALSE(stage.reestimate_norms.has_value());
  EXPECT_FALSE(stage.fine_tune.has_value());
  EXPECT_EQ(prune_stage_of("{target_bytes: 1}").budget.kind, prune::BudgetKind::Bytes);
  EXPECT_TRUE(prune_stage_of("{target_macs: 0.5, mask: true}").mask);
  EXPECT_EQ(prune_stage_of("{plan: p.yaml}").plan.filename(), "p.yaml");
}

TEST(PruneYaml, CutsInsideAFineTuningAreIterations) {
  kit::expect_unsupported(
      [] {
        (void)prune_stage_of(
            "{target_macs: 0.5, fine_tune: {strategies: [{prune: {target_macs: 0.5}}]}}");
      },
      "strategy 'prune' inside the fine-tuning of stage 'prune'");
}

struct Refused {
  std::string name;
  std::string text;
  std::string message;
};

class PruneYamlRefuses : public testing::TestWithParam<Refused> {};

TEST_P(PruneYamlRefuses, WithItsPlace) {
  const std::string text =
      kit::expect_user_error([] { (void)prune_stage_of(GetParam().text); }, GetParam().message);
  EXPECT_NE(text.find("r.yaml:1"), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(
    All, PruneYamlRefuses,
    testing::Values(
        Refused{"no_budget", "{align: 8}", "'prune' needs one budget: r.yaml:1: got none"},
        Refused{"two_budgets", "{target_macs: 0.5, pruned_ratio: 0.2}",
                "got 'target_macs' and 'pruned_ratio'"},
        Refused{"budget_and_plan", "{target_macs: 0.5, plan: p}", "got 'target_macs' and 'plan'"},
        Refused{"nothing_stays", "{target_macs: 0}", "expected a share that stays, in (0, 1]"},
        Refused{"everything_goes", "{pruned_ratio: 1}", "expected a share that goes, in [0, 1)"},
        Refused{"above_one", "{target_macs: 1.2}", "target_macs"},
        Refused{"below_zero", "{pruned_ratio: -0.2}", "pruned_ratio"},
        Refused{"criterion", "{target_macs: 0.5, criterion: fpgn}", "did you mean 'fpgm'"},
        Refused{"strategy", "{target_macs: 0.5, strategy: globel}", "did you mean 'global'"},
        Refused{"key", "{target_macs: 0.5, itterations: 2}", "did you mean 'iterations'"},
        Refused{"max_removed", "{target_macs: 0.5, max_removed: 1}", "max_removed"},
        Refused{"mask_iterations", "{target_macs: 0.5, mask: true, iterations: 2}",
                "masks are made in one go"},
        Refused{"loss_without_curves", "{max_loss: 1}", "a largest loss needs sensitivities"},
        Refused{"strategy_without_curves", "{target_macs: 0.5, strategy: sensitivity}",
                "strategy 'sensitivity' needs a file"},
        Refused{"curves_of_no_use", "{target_macs: 0.5, sensitivities: s.csv}",
                "sensitivities are of use to"},
        Refused{"curves_in_iterations", "{max_loss: 1, sensitivities: s.csv, iterations: 2}",
                "cut in one iteration"},
        Refused{"curves_and_plan", "{plan: p, sensitivities: s.csv}", "has chosen already"},
        Refused{"engine", "{target_macs: 0.5, verify: {engines: [openvina]}}",
                "did you mean 'openvino'"},
        Refused{"plan_and_choices", "{plan: p, skip: ['c*'], min_width: 4}",
                "it takes no min_width, skip"},
        Refused{"annealing_without_it", "{target_macs: 0.5, annealing: {iterations: 5}}",
                "'annealing' is used by no strategy"},
        Refused{"loss_and_strategy", "{max_loss: 1, sensitivities: s.csv, strategy: annealing}",
                "it takes no strategy 'annealing'"},
        Refused{"plan_iterations", "{plan: p, iterations: 2}", "applied in one go"}),
    [](const auto& test) { return test.param.name; });

}  // namespace
}  // namespace espalier::recipe
