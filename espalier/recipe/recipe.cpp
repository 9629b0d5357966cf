#include "espalier/recipe/recipe.h"

#include <array>
#include <ranges>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/model_yaml.h"
#include "espalier/recipe/prune_yaml.h"
#include "espalier/recipe/stage_yaml.h"
#include "espalier/recipe/train_yaml.h"

namespace espalier::recipe {
namespace {

namespace fs = std::filesystem;

/// A data split given as a path or in place.
std::optional<data::DataConfig> parse_split(const YamlValue* value, const fs::path& folder,
                                            bool training) {
  if (value == nullptr) return std::nullopt;
  const DataSplits splits = value->kind == YamlValue::Kind::Scalar
                                ? load_data(resolve_path(value->scalar, folder))
                                : parse_data(*value, folder);
  return training ? splits.for_training() : splits.for_evaluation();
}

void parse_calibration(const YamlValue& map, CalibrationConfig& config) {
  MapReader reader(map, "'calibration'");
  static constexpr std::array<std::string_view, 1> kSources{"train"};
  static_cast<void>(reader.choice("from", kSources, "train"));
  config.samples = static_cast<std::size_t>(reader.integer(
      "samples", static_cast<std::int64_t>(config.samples), {.low = 1, .high = 100'000'000}));
  config.seed = static_cast<std::uint64_t>(reader.integer(
      "seed", static_cast<std::int64_t>(config.seed), {.low = 0, .high = INT64_MAX}));
  config.micro_batch = static_cast<std::size_t>(reader.integer(
      "micro_batch", static_cast<std::int64_t>(config.micro_batch), {.low = 1, .high = 4096}));
  reader.finish();
}

void parse_data_block(const YamlValue& map, const fs::path& folder, Recipe& recipe) {
  MapReader reader(map, "'data'");
  if (const YamlValue* all = reader.find("splits")) {
    recipe.data = all->kind == YamlValue::Kind::Scalar
                      ? load_data(resolve_path(all->scalar, folder))
                      : parse_data(*all, folder);
    for (const char* key : {"train", "eval", "test"}) {
      if (reader.find(key) == nullptr) continue;
      throw base::UserError({.what = fmt::format("'{}' does not go with 'splits'", key),
                             .where = map.where(),
                             .hint = "'splits' takes every split from one data file"});
    }
  }
  recipe.data.source = map.where();
  if (reader.find("splits") == nullptr) {
    recipe.data.train = parse_split(reader.find("train"), folder, true);
    recipe.data.eval = parse_split(reader.find("eval"), folder, false);
    recipe.data.test = parse_split(reader.find("test"), folder, false);
  }
  recipe.calibration.seed = recipe.seed;
  if (const YamlValue* value = reader.find("calibration")) {
    parse_calibration(*value, recipe.calibration);
  }
  reader.finish();
}

std::vector<train::TopK> parse_metrics(const YamlValue& list) {
  std::vector<train::TopK> metrics;
  for (const YamlValue& item : list.items) {
    const std::string name = read_text(item, "metrics");
    const YamlValue digits = yaml_text(name.starts_with("top") ? name.substr(3) : "");
    try {
      metrics.push_back({.k = static_cast<int>(read_integer(digits, "metrics", 1, 1000))});
    } catch (const base::UserError&) {
      throw base::UserError({.what = fmt::format("unknown metric '{}'", name),
                             .where = item.where(),
                             .expected = "top1, top5, ..."});
    }
  }
  if (metrics.empty()) {
    throw base::UserError(
        {.what = "bad value of 'metrics'",
         .where = list.where(),
         .got = list.kind == YamlValue::Kind::List ? "an empty list" : list.describe(),
         .expected = "a list such as [top1, top5]"});
  }
  return metrics;
}

Stage parse_stage(const YamlValue& item, const Recipe& recipe) {
  if (item.kind != YamlValue::Kind::Map || item.entries.size() != 1) {
    throw base::UserError({.what = "bad entry of 'stages'",
                           .where = item.where(),
                           .got = item.describe(),
                           .expected = "one stage, '- train: {...}'"});
  }
  const auto& [name, value] = item.entries.front();
  if (name == "train") return parse_train_stage(value, recipe);
  if (name == "quantize") return parse_quantize_stage(value, recipe);
  if (name == "export") return parse_export_stage(value);
  if (name == "prune") return parse_prune_stage(value, recipe);
  if (name == "distil") {
    throw base::UnsupportedError(
        {.what = fmt::format("stage '{}' is not supported", name),
         .where = item.where(),
         .hint = "stages are train, prune, quantize, export; a teacher belongs "
                 "to 'train'"});
  }
  const std::vector<std::string> known{"train", "prune", "quantize", "export"};
  throw base::UserError({.what = fmt::format("unknown stage '{}'", name),
                         .where = item.where(),
                         .hint = base::suggest_name(name, known)});
}

/// QuantizeLinear has 16-bit codes from this opset on.
constexpr int kOpsetOf16Bits = 21;

void check_opset(const quant::PlanOptions& plan, int opset, const YamlValue& stages) {
  if (quant::most_bits(plan) <= 8 || opset >= kOpsetOf16Bits) return;
  throw base::UserError({.what = "codes of more than 8 bits cannot be exported",
                         .where = stages.where(),
                         .got = fmt::format("{} bits at opset {}", quant::most_bits(plan), opset),
                         .expected = fmt::format("opset {} or later", kOpsetOf16Bits),
                         .hint = fmt::format("add '- export: {{opset: {}}}'", kOpsetOf16Bits)});
}

/// What would fail only when a training has ended.
void check_opsets(const Recipe& recipe, const YamlValue& stages) {
  const int opset = export_opset(recipe);
  for (const Stage& stage : recipe.stages) {
    if (const auto* quantize = std::get_if<QuantizeStage>(&stage)) {
      check_opset(quantize->plan, opset, stages);
    }
    const auto* train = std::get_if<TrainStage>(&stage);
    const TrainQuantizeConfig* config = train == nullptr ? nullptr : quantize_strategy(*train);
    if (config != nullptr) check_opset(config->plan, std::min(opset, config->opset), stages);
  }
}

/// Tells prunings of the trainings behind them.
void mark_trained(std::vector<Stage>& stages) {
  bool trained = false;
  for (Stage& stage : stages | std::views::reverse) {
    if (auto* prune = std::get_if<PruneStage>(&stage)) prune->trained_later = trained;
    const auto* quantize = std::get_if<QuantizeStage>(&stage);
    trained = trained || std::holds_alternative<TrainStage>(stage) ||
              (quantize != nullptr && quantize->qat.has_value());
  }
}

}  // namespace

int export_opset(const Recipe& recipe) {
  for (const Stage& stage : recipe.stages) {
    if (const auto* exported = std::get_if<ExportStage>(&stage)) return exported->opset;
  }
  return ExportStage{}.opset;
}

const TrainQuantizeConfig* quantize_strategy(const TrainStage& stage) {
  for (const StrategyConfig& strategy : stage.strategies) {
    if (const auto* config = std::get_if<TrainQuantizeConfig>(&strategy.what)) return config;
  }
  return nullptr;
}

bool prunes(const TrainStage& stage) {
  return std::ranges::any_of(stage.strategies, [](const StrategyConfig& strategy) {
    return std::holds_alternative<TrainPruneConfig>(strategy.what);
  });
}

std::string stage_name(const Stage& stage) {
  constexpr std::array<std::string_view, std::variant_size_v<Stage>> kNames{"train", "prune",
                                                                            "quantize", "export"};
  return std::string(kNames[stage.index()]);
}

Recipe parse_recipe(const YamlValue& document, const std::filesystem::path& folder) {
  MapReader reader(document, "the recipe");
  Recipe recipe;
  recipe.folder = folder;
  static_cast<void>(read_integer(reader.require("version"), "version", 1, 1));
  recipe.seed =
      static_cast<std::uint64_t>(reader.integer("seed", 0, {.low = 0, .high = INT64_MAX}));
  recipe.model = parse_model(reader.require("model"), recipe.seed, folder);
  if (const YamlValue* value = reader.find("data")) parse_data_block(*value, folder, recipe);
  if (const YamlValue* value = reader.find("metrics")) recipe.metrics = parse_metrics(*value);
  const YamlValue& stages = reader.require("stages");
  for (const YamlValue& item : read_items(stages, "stages")) {
    recipe.stages.push_back(parse_stage(item, recipe));
  }
  mark_trained(recipe.stages);
  if (recipe.stages.empty()) {
    throw base::UserError({.what = "the recipe has no stage",
                           .where = stages.where(),
                           .expected = "a list such as '- train: {epochs: 3}'"});
  }
  recipe.output = reader.text("output", recipe.output.string());
  reader.finish();
  check_opsets(recipe, stages);
  recipe.resolved = print_yaml(document);
  return recipe;
}

Recipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  YamlValue document = load_yaml(file);
  for (const std::string& assignment : overrides) override_yaml(document, assignment);
  return parse_recipe(document, file.parent_path());
}

}  // namespace espalier::recipe
