#include "espalier/recipe/prune_yaml.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/deploy/engine.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/model_yaml.h"
#include "espalier/recipe/train_yaml.h"

namespace espalier::recipe {
namespace {

/// Learning rate of a fine-tuning that says nothing of its own.
constexpr double kFineTuningRate = 0.01;

/// A key that says how much stays (or goes).
struct BudgetKey {
  std::string_view key;
  prune::BudgetKind kind;
  bool removed = false;  ///< the share that goes, as PaddleClas counts it
};
constexpr std::array kBudgetKeys{BudgetKey{"target_macs", prune::BudgetKind::Macs},
                                 BudgetKey{"target_params", prune::BudgetKind::Parameters},
                                 BudgetKey{"target_bytes", prune::BudgetKind::Bytes},
                                 BudgetKey{"pruned_ratio", prune::BudgetKind::Filters, true}};

[[noreturn]] void refuse_budget(const YamlValue& map, std::string got) {
  throw base::UserError({.what = "'prune' needs one budget",
                         .where = map.where(),
                         .got = std::move(got),
                         .expected = "one of target_macs, target_params, target_bytes, "
                                     "pruned_ratio; in a stage also max_loss or a plan"});
}

double share_of(const BudgetKey& row, const YamlValue& value) {
  const double number = read_number(value, row.key, 0, 1);
  const double remaining = row.removed ? 1 - number : number;
  if (remaining > 0) return remaining;
  throw base::UserError(
      {.what = fmt::format("bad value of '{}'", row.key),
       .where = value.where(),
       .got = value.describe(),
       .expected = row.removed ? "a share that goes, in [0, 1)" : "a share that stays, in (0, 1]"});
}

/// The key of a budget that was found; a second one is refused.
class TheBudget {
 public:
  explicit TheBudget(const YamlValue& map) : map_(map) {}
  void take(std::string_view key) {
    if (!key_.empty()) refuse_budget(map_, fmt::format("'{}' and '{}'", key_, key));
    key_ = key;
  }
  [[nodiscard]] bool found() const { return !key_.empty(); }

 private:
  const YamlValue& map_;
  std::string key_ = {};
};

void parse_share(MapReader& reader, prune::BudgetOptions& budget, TheBudget& found) {
  for (const BudgetKey& row : kBudgetKeys) {
    const YamlValue* value = reader.find(row.key);
    if (value == nullptr) continue;
    found.take(row.key);
    budget.kind = row.kind;
    budget.remaining = share_of(row, *value);
  }
}

void parse_budget(MapReader& reader, PruneStage& stage, const Recipe& recipe, TheBudget& found) {
  parse_share(reader, stage.budget, found);
  if (const YamlValue* value = reader.find("plan")) {
    found.take("plan");
    stage.plan = resolve_path(read_text(*value, "plan"), recipe.folder);
  }
  if (const YamlValue* value = reader.find("max_loss")) {
    found.take("max_loss");
    stage.max_loss = read_number(*value, "max_loss", 0, 100);
  }
  if (const YamlValue* value = reader.find("sensitivities")) {
    stage.sensitivities = resolve_path(read_text(*value, "sensitivities"), recipe.folder);
  }
}

/// Runs a parser of names and adds the place to what it says.
template <typename Parse>
auto named(MapReader& reader, std::string_view key, std::string_view fallback, const Parse& parse) {
  const YamlValue* value = reader.find(key);
  if (value == nullptr) return parse(fallback);
  const std::string name = read_text(*value, key);
  try {
    return parse(std::string_view(name));
  } catch (const base::UserError& error) {
    throw base::UserError({.what = fmt::format("bad value of '{}'", key),
                           .where = value->where(),
                           .got = value->describe(),
                           .hint = error.what()});
  }
}

void parse_scores(MapReader& reader, prune::ScoreOptions& scores) {
  scores.criterion = named(reader, "criterion", scores.criterion, [](std::string_view name) {
    return std::string(prune::find_criterion(name).name);
  });
  scores.reduction = named(reader, "reduction", "mean", prune::parse_reduction);
  scores.scaling = named(reader, "scaling", "group_mean", prune::parse_scaling);
}

void parse_choice(MapReader& reader, PruneStage& stage) {
  parse_scores(reader, stage.scores);
  stage.budget.strategy = named(reader, "strategy", "uniform", prune::parse_strategy);
  if (const YamlValue* map = reader.find("annealing")) {
    MapReader inner(*map, "'annealing'");
    prune::AnnealingOptions& options = stage.budget.annealing;
    options.iterations =
        inner.integer("iterations", options.iterations, {.low = 0, .high = 10'000'000});
    options.temperature =
        inner.number("temperature", options.temperature, {.low = 1e-30, .high = 1e30});
    options.cooling = inner.number("cooling", options.cooling, {.low = 1e-6, .high = 0.999999});
    inner.finish();
    if (stage.budget.strategy != prune::Strategy::Annealing) {
      throw base::UserError(
          {.what = "'annealing' is used by no strategy",
           .where = map->where(),
           .got = fmt::format("strategy {}", prune::to_string(stage.budget.strategy)),
           .expected = "strategy annealing"});
    }
  }
}

void parse_limits(MapReader& reader, prune::Limits& limits) {
  limits.align = reader.integer("align", limits.align, {.low = 1, .high = 1024});
  limits.min_width = reader.integer("min_width", limits.min_width, {.low = 1, .high = 1 << 20});
  limits.max_removed =
      reader.number("max_removed", limits.max_removed, {.low = 0, .high = 0.999999});
  limits.skip = reader.texts("skip");
  limits.cut_first = !reader.flag("keep_first", !limits.cut_first);
  limits.cut_last = !reader.flag("keep_last", !limits.cut_last);
}

void parse_verify(const YamlValue* map, VerifyConfig& config) {
  if (map == nullptr) return;
  MapReader reader(*map, "'verify'");
  config.latency_rounds = static_cast<int>(
      reader.integer("latency_rounds", config.latency_rounds, {.low = 0, .high = 100000}));
  config.samples = reader.integer("samples", config.samples, {.low = 0, .high = 1'000'000'000});
  if (reader.find("engines") != nullptr) config.engines = reader.texts("engines");
  reader.finish();
}

/// What chooses channels says nothing where a stored plan has chosen.
void refuse_choices(const PruneStage& stage) {
  const PruneStage plain;
  const prune::Limits& limits = stage.budget.limits;
  const prune::Limits& usual = plain.budget.limits;
  std::vector<std::string_view> given;
  const auto add = [&](bool is_given, std::string_view name) {
    if (is_given) given.push_back(name);
  };
  add(stage.scores.criterion != plain.scores.criterion, "criterion");
  add(stage.scores.reduction != plain.scores.reduction, "reduction");
  add(stage.scores.scaling != plain.scores.scaling, "scaling");
  add(stage.budget.strategy != plain.budget.strategy, "strategy");
  add(limits.align != usual.align, "align");
  add(limits.min_width != usual.min_width, "min_width");
  add(limits.max_removed != usual.max_removed, "max_removed");
  add(!limits.skip.empty(), "skip");
  add(!limits.cut_first, "keep_first");
  add(!limits.cut_last, "keep_last");
  if (given.empty()) return;
  throw base::UserError(
      fmt::format("a stored plan has chosen already: it takes no {}", fmt::join(given, ", ")));
}

}  // namespace

TrainPruneConfig parse_train_prune(MapReader& reader, const Recipe& recipe) {
  for (const char* key : {"sensitivities", "max_loss", "plan"}) {
    const YamlValue* value = reader.map().find(key);
    if (value == nullptr) continue;
    throw base::UnsupportedError({.what = fmt::format("'{}' inside a training", key),
                                  .where = value->where(),
                                  .got = "weights that have changed since it was made",
                                  .hint = "a stage 'prune' takes it, and trains in its fine_tune"});
  }
  TrainPruneConfig config;
  TheBudget found(reader.map());
  parse_share(reader, config.budget, found);
  if (!found.found()) refuse_budget(reader.map(), "none");
  parse_scores(reader, config.scores);
  static constexpr std::array<std::string_view, 2> kStrategies{"uniform", "global"};
  config.budget.strategy =
      prune::parse_strategy(reader.choice("strategy", kStrategies, kStrategies[0]));
  config.scores.seed = recipe.seed;
  parse_limits(reader, config.budget.limits);
  config.check = reader.flag("check", false);
  return config;
}

PruneStage parse_prune_stage(const YamlValue& map, const Recipe& recipe) {
  MapReader reader(map, "stage 'prune'");
  PruneStage stage;
  TheBudget found(map);
  parse_budget(reader, stage, recipe, found);
  parse_choice(reader, stage);
  stage.scores.seed = stage.budget.annealing.seed = recipe.seed;
  parse_limits(reader, stage.budget.limits);
  stage.iterations = reader.integer("iterations", 1, {.low = 1, .high = 1000});
  stage.mask = reader.flag("mask", false);
  if (const YamlValue* value = reader.find("reestimate_bn")) {
    stage.reestimate_norms = read_flag(*value, "reestimate_bn");
  }
  if (const YamlValue* value = reader.find("reconstruct")) {
    stage.reconstruct = read_flag(*value, "reconstruct");
  }
  if (const YamlValue* value = reader.find("fine_tune")) {
    stage.fine_tune = parse_train_stage(*value, recipe);
    if (quantize_strategy(*stage.fine_tune) != nullptr) {
      throw base::UnsupportedError(
          {.what = "strategy 'quantize' inside the fine-tuning of stage 'prune'",
           .hint = "put a stage 'quantize' behind it"});
    }
    if (prunes(*stage.fine_tune)) {
      throw base::UnsupportedError(
          {.what = "strategy 'prune' inside the fine-tuning of stage 'prune'",
           .where = value->where(),
           .hint = "'iterations' cuts in several steps"});
    }
    if (value->find("schedule") == nullptr) {
      stage.fine_tune->options.schedule.shape = train::CosineSchedule{.lr = kFineTuningRate};
    }
  }
  stage.check = reader.flag("check", false);
  if (const YamlValue* value = reader.find("image_size")) {
    stage.image_size = read_integer(*value, "image_size", 1, 65536);
  }
  parse_verify(reader.find("verify"), stage.verify);
  reader.finish();
  if (!found.found()) refuse_budget(map, "none");
  try {
    check_prune_stage(stage);
  } catch (const base::UserError& error) {
    throw base::UserError({.what = "stage 'prune'", .where = map.where(), .got = error.what()});
  }
  return stage;
}

void check_prune_stage(const PruneStage& stage) {
  deploy::check_engine_names(stage.verify.engines);
  if (stage.iterations > 1 && stage.mask) {
    throw base::UserError("masks are made in one go: several iterations cut");
  }
  const bool curves = !stage.sensitivities.empty();
  if (!curves && stage.max_loss) {
    throw base::UserError("a largest loss needs sensitivities, which say what each group costs");
  }
  if (!curves && stage.budget.strategy == prune::Strategy::Sensitivity) {
    throw base::UserError("strategy 'sensitivity' needs a file of sensitivities");
  }
  if (curves && stage.iterations > 1) {
    throw base::UserError("sensitivities are those of the whole model: cut in one iteration");
  }
  if (curves && !stage.plan.empty()) {
    throw base::UserError("a stored plan has chosen already: it takes no sensitivities");
  }
  if (!stage.plan.empty()) refuse_choices(stage);
  const prune::Strategy strategy = stage.budget.strategy;
  if (stage.max_loss && strategy != prune::Strategy::Uniform &&
      strategy != prune::Strategy::Sensitivity) {
    throw base::UserError(
        fmt::format("a largest loss says what each group loses: it takes no strategy '{}'",
                    prune::to_string(strategy)));
  }
  if (curves && !stage.max_loss && stage.budget.strategy != prune::Strategy::Sensitivity &&
      stage.budget.strategy != prune::Strategy::Annealing) {
    throw base::UserError(
        "sensitivities are of use to a largest loss and to the strategies 'sensitivity' and "
        "'annealing'");
  }
  if (stage.iterations > 1 && !stage.plan.empty()) {
    throw base::UserError("a stored plan is applied in one go, not in several iterations");
  }
}

}  // namespace espalier::recipe
