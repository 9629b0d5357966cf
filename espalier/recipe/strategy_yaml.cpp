#include "espalier/recipe/strategy_yaml.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/recipe/choice.h"
#include "espalier/recipe/loss_yaml.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/prune_yaml.h"
#include "espalier/recipe/qat_yaml.h"
#include "espalier/recipe/stage_yaml.h"

namespace espalier::recipe {
namespace {

/// A row reads the keys of its strategy beside the epochs.
struct Row {
  std::string_view name;
  void (*read)(MapReader& reader, const Recipe& recipe, StrategyConfig& strategy);
};

void read_distil(MapReader& reader, const Recipe& recipe, StrategyConfig& strategy) {
  DistilConfig distil;
  if (const YamlValue* teacher = reader.find("teacher")) {
    distil.teacher = parse_teacher(*teacher, recipe);
  }
  const YamlValue& list = reader.require("loss");
  distil.losses = parse_losses(list);
  strategy.what = std::move(distil);
}

void read_freeze(MapReader& reader, const Recipe&, StrategyConfig& strategy) {
  const YamlValue& list = reader.require("match");
  FreezeConfig freeze{.match = reader.texts("match")};
  if (freeze.match.empty()) {
    throw base::UserError({.what = "bad value of 'match'",
                           .where = list.where(),
                           .got = list.describe(),
                           .expected = "a list of globs such as [\"*_bn_mean\"]"});
  }
  strategy.what = std::move(freeze);
}

template <FreezeObservedConfig::What what>
void read_freeze_observed(MapReader&, const Recipe&, StrategyConfig& strategy) {
  strategy.what = FreezeObservedConfig{.what = what};
}

/// The name of a file in the run folder.
std::string read_file_name(MapReader& reader, std::string standard) {
  const YamlValue* file = reader.find("file");
  if (file == nullptr) return standard;
  std::string name = read_text(*file, "file");
  const std::filesystem::path path(name);
  if (path.has_parent_path() || path.filename() == ".." || path.extension() != ".onnx") {
    throw base::UserError({.what = "bad value of 'file'",
                           .where = file->where(),
                           .got = fmt::format("'{}'", name),
                           .expected = "a file name that ends in .onnx, without a folder"});
  }
  return name;
}

void read_quantize(MapReader& reader, const Recipe&, StrategyConfig& strategy) {
  TrainQuantizeConfig config;
  config.plan = read_plan_options(reader);
  const QuantizerKeys keys = read_quantizers(reader, config.plan);
  config.quantizers = keys.quantizers;
  config.frozen_batch_norm = keys.frozen_batch_norm;
  config.reestimate_batch_norm = keys.reestimate_batch_norm;
  // Training changes predictions: accuracy judges it.
  config.verify.min_agreement = 0;
  config.verify = read_verify(reader, config.verify);
  config.file = read_file_name(reader, fmt::format("epoch-{}-quantized.onnx", strategy.span.end));
  config.opset = static_cast<int>(reader.integer("opset", config.opset, {.low = 13, .high = 23}));
  strategy.what = std::move(config);
}

void read_export(MapReader& reader, const Recipe&, StrategyConfig& strategy) {
  EpochExportConfig config;
  config.file = read_file_name(reader, fmt::format("epoch-{}.onnx", strategy.span.end));
  config.opset = static_cast<int>(reader.integer("opset", config.opset, {.low = 13, .high = 23}));
  strategy.what = std::move(config);
}

/// One cut; `iterations` gives more (spread_cuts).
void read_prune(MapReader& reader, const Recipe& recipe, StrategyConfig& strategy) {
  TrainPruneConfig config = parse_train_prune(reader, recipe);
  const std::int64_t epochs = strategy.span.end - strategy.span.start + 1;
  config.steps = reader.integer("iterations", 1, {.low = 1, .high = epochs});
  strategy.what = std::move(config);
}

/// Every strategy there is.
constexpr std::array kRows{
    Row{"distil", &read_distil},
    Row{"freeze", &read_freeze},
    Row{"freeze_batch_norm", &read_freeze_observed<FreezeObservedConfig::What::BatchNorm>},
    Row{"freeze_quantizers", &read_freeze_observed<FreezeObservedConfig::What::Quantizers>},
    Row{"quantize", &read_quantize},
    Row{"prune", &read_prune},
    Row{"export", &read_export}};

StrategyConfig parse_strategy(const YamlValue& item, std::int64_t epochs, const Recipe& recipe) {
  const Choice choice = single_entry(item, "strategies");
  const auto row = std::ranges::find(kRows, choice.name, &Row::name);
  if (row == kRows.end()) {
    std::vector<std::string> known;
    for (const Row& one : kRows) known.emplace_back(one.name);
    refuse_choice("strategy", choice, known);
  }
  MapReader reader(choice.value, fmt::format("strategy '{}'", choice.name));
  StrategyConfig strategy;
  strategy.span.start = reader.integer("start_epoch", 0, {.low = 0, .high = epochs - 1});
  strategy.span.end =
      reader.integer("end_epoch", epochs - 1, {.low = strategy.span.start, .high = epochs - 1});
  row->read(reader, recipe, strategy);
  reader.finish();
  return strategy;
}

/// The cuts of a strategy `prune`: evenly over its epochs, the first before the first of them.
std::vector<StrategyConfig> spread_cuts(const StrategyConfig& whole) {
  const TrainPruneConfig& config = std::get<TrainPruneConfig>(whole.what);
  const std::int64_t epochs = whole.span.end - whole.span.start + 1;
  std::vector<StrategyConfig> cuts;
  for (std::int64_t step = 0; step < config.steps; ++step) {
    StrategyConfig cut = whole;
    cut.span.start = whole.span.start + step * epochs / config.steps;
    cut.span.end = whole.span.start + (step + 1) * epochs / config.steps - 1;
    std::get<TrainPruneConfig>(cut.what).step = step + 1;
    cuts.push_back(std::move(cut));
  }
  return cuts;
}

/// Channels are those of the float graph, and shares those of one budget.
void check_cuts(const std::vector<StrategyConfig>& strategies, const YamlValue& list) {
  const StrategyConfig* last = nullptr;
  std::int64_t prunings = 0;
  for (const StrategyConfig& strategy : strategies) {
    const auto* config = std::get_if<TrainPruneConfig>(&strategy.what);
    if (config == nullptr) continue;
    prunings += config->step == 1 ? 1 : 0;
    last = &strategy;
  }
  if (prunings > 1) {
    throw base::UserError({.what = "a training can be pruned once",
                           .where = list.where(),
                           .got = "a second strategy 'prune'",
                           .hint = "'iterations' cuts in several steps"});
  }
  const auto quantize = std::ranges::find_if(strategies, [](const StrategyConfig& strategy) {
    return std::holds_alternative<TrainQuantizeConfig>(strategy.what);
  });
  if (last == nullptr || quantize == strategies.end()) return;
  if (last->span.start < quantize->span.start) return;
  throw base::UserError({.what = "a strategy 'prune' cuts float models alone",
                         .where = list.where(),
                         .got = fmt::format("a cut before epoch {}, with quantizers from epoch {} "
                                            "on",
                                            last->span.start, quantize->span.start)});
}

/// A float file cannot hold what the model is once quantizers are in it.
void check_exports(const std::vector<StrategyConfig>& strategies, const YamlValue& list) {
  const auto quantize = std::ranges::find_if(strategies, [](const StrategyConfig& strategy) {
    return std::holds_alternative<TrainQuantizeConfig>(strategy.what);
  });
  if (quantize == strategies.end()) return;
  for (const StrategyConfig& strategy : strategies) {
    const auto* exported = std::get_if<EpochExportConfig>(&strategy.what);
    if (exported == nullptr || strategy.span.end < quantize->span.start) continue;
    throw base::UserError(
        {.what = "a strategy 'export' writes float models alone",
         .where = list.where(),
         .got = fmt::format("'{}' after epoch {}, with quantizers from epoch {} on", exported->file,
                            strategy.span.end, quantize->span.start),
         .hint = "the strategy 'quantize' writes a file at its end_epoch"});
  }
}

}  // namespace

std::vector<StrategyConfig> parse_strategies(const YamlValue& list, std::int64_t epochs,
                                             const Recipe& recipe) {
  std::vector<StrategyConfig> strategies;
  bool quantized = false;
  for (const YamlValue& item : read_items(list, "strategies")) {
    StrategyConfig parsed = parse_strategy(item, epochs, recipe);
    if (std::holds_alternative<TrainPruneConfig>(parsed.what)) {
      std::ranges::move(spread_cuts(parsed), std::back_inserter(strategies));
      continue;
    }
    strategies.push_back(std::move(parsed));
    const auto* quantize = std::get_if<TrainQuantizeConfig>(&strategies.back().what);
    if (quantize == nullptr) continue;
    if (quantized) {
      throw base::UserError({.what = "a training can be quantized once",
                             .where = item.where(),
                             .got = "a second strategy 'quantize'"});
    }
    quantized = true;
    if (!quantize->frozen_batch_norm) continue;
    strategies.push_back(
        {.span = {.start = strategies.back().span.start, .end = epochs - 1},
         .what = FreezeObservedConfig{.what = FreezeObservedConfig::What::BatchNorm}});
  }
  check_exports(strategies, list);
  check_cuts(strategies, list);
  return strategies;
}

}  // namespace espalier::recipe
