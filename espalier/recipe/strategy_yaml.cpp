#include "espalier/recipe/strategy_yaml.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/recipe/choice.h"
#include "espalier/recipe/loss_yaml.h"
#include "espalier/recipe/map_reader.h"

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

void read_export(MapReader& reader, const Recipe&, StrategyConfig& strategy) {
  EpochExportConfig config;
  const YamlValue* file = reader.find("file");
  config.file =
      file == nullptr ? fmt::format("epoch-{}.onnx", strategy.span.end) : read_text(*file, "file");
  const std::filesystem::path path(config.file);
  if (path.has_parent_path() || path.filename() == ".." || path.extension() != ".onnx") {
    throw base::UserError({.what = "bad value of 'file'",
                           .where = file->where(),
                           .got = fmt::format("'{}'", config.file),
                           .expected = "a file name that ends in .onnx, without a folder"});
  }
  config.opset = static_cast<int>(reader.integer("opset", config.opset, {.low = 13, .high = 23}));
  strategy.what = std::move(config);
}

/// Every strategy there is.
constexpr std::array kRows{Row{"distil", &read_distil}, Row{"freeze", &read_freeze},
                           Row{"export", &read_export}};

StrategyConfig parse_strategy(const YamlValue& item, std::int64_t epochs, const Recipe& recipe) {
  const Choice choice = single_entry(item, "strategies");
  if (choice.name == "quantize" || choice.name == "prune") {
    throw base::UnsupportedError(
        {.what = fmt::format("strategy '{}' inside a training is not supported", choice.name),
         .where = item.where(),
         .hint = "make it a stage of the recipe"});
  }
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

}  // namespace

std::vector<StrategyConfig> parse_strategies(const YamlValue& list, std::int64_t epochs,
                                             const Recipe& recipe) {
  std::vector<StrategyConfig> strategies;
  for (const YamlValue& item : list.items) {
    strategies.push_back(parse_strategy(item, epochs, recipe));
  }
  return strategies;
}

}  // namespace espalier::recipe
