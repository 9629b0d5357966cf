#include "espalier/recipe/resuming.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "espalier/base/log.h"
#include "espalier/recipe/yaml_difference.h"

namespace espalier::recipe {
namespace {

std::vector<YamlDifference> changes(const std::string& saved_config, const std::string& config) {
  return yaml_differences(parse_yaml(saved_config, "the earlier recipe"),
                          parse_yaml(config, "the recipe"));
}

bool is_below(const std::string& path, std::string_view key) {
  return path.starts_with(key) && (path.size() == key.size() || path[key.size()] == '.');
}

/// Number of the stage that a path lies in; nothing elsewhere.
std::optional<std::size_t> stage_of(const std::string& path) {
  constexpr std::string_view kStages = "stages.";
  if (!path.starts_with(kStages)) return std::nullopt;
  std::size_t stage = 0;
  const char* begin = path.data() + kStages.size();
  const auto [end, error] = std::from_chars(begin, path.data() + path.size(), stage);
  return error == std::errc() ? std::optional(stage) : std::nullopt;
}

bool is_unread(const std::string& path) {
  return is_below(path, "output") || is_below(path, "data.test");
}

/// What a change means for a training inside a stage `quantize`: its graph follows from the
/// calibration, and that from nearly everything.
Reuse meaning_for_quantized(const std::string& path, std::size_t stage) {
  const std::string own = fmt::format("stages.{}.quantize", stage);
  if (is_below(path, own + ".verify")) return Reuse::Finished;
  if (is_below(path, "metrics")) return Reuse::Continue;
  return is_below(path, own + ".train") ? Reuse::Continue : Reuse::Anew;
}

/// A fine-tuning inside a stage `prune` goes on with its own new numbers; anything else may change
/// what is cut.
Reuse meaning_for_pruned(const std::string& path, std::size_t stage) {
  const std::string own = fmt::format("stages.{}.prune", stage);
  const bool continues = is_below(path, own + ".fine_tune") || is_below(path, "metrics");
  return continues ? Reuse::Continue : Reuse::Anew;
}

/// True for a change in a strategy that rewrites the graph, or of a whole entry that is one.
bool concerns_rewriting(const YamlDifference& change) {
  for (const std::string name : {"quantize", "prune"}) {
    for (const std::string& text : {change.before, change.after}) {
      if (text.find("{" + name + ":") != std::string::npos) return true;
    }
    if ((change.path + '.').find("." + name + ".") != std::string::npos) return true;
  }
  return false;
}

/// What a change means for a float training: one of its quantizers or of its cuts, begun or not,
/// needs the graph that was rewritten.
Reuse meaning_for_training(const YamlDifference& change, std::size_t stage) {
  const std::string strategies = fmt::format("stages.{}.train.strategies", stage);
  if (!is_below(change.path, strategies) || !concerns_rewriting(change)) return Reuse::Continue;
  return change.path.find(".quantize.verify") != std::string::npos ? Reuse::Finished : Reuse::Anew;
}

}  // namespace

Reuse reuse_of(const Recipe& recipe, std::size_t stage, const std::string& saved_config) {
  if (saved_config.empty()) return Reuse::Finished;
  Reuse reuse = Reuse::Finished;
  for (const YamlDifference& change : changes(saved_config, recipe.resolved)) {
    const std::optional<std::size_t> place = stage_of(change.path);
    if (is_unread(change.path) || (place && *place > stage)) continue;
    const bool before = is_below(change.path, "model") || (place && *place < stage);
    const bool quantized = std::holds_alternative<QuantizeStage>(recipe.stages.at(stage));
    const bool pruned = std::holds_alternative<PruneStage>(recipe.stages.at(stage));
    const auto* training = std::get_if<TrainStage>(&recipe.stages.at(stage));
    const bool calibrates =
        quantized || pruned ||
        (training != nullptr && (quantize_strategy(*training) != nullptr || prunes(*training)));
    const bool calibration = is_below(change.path, "data.calibration");
    if (!calibrates && calibration) continue;
    const Reuse meaning = before || calibration ? Reuse::Anew
                          : quantized           ? meaning_for_quantized(change.path, stage)
                          : pruned              ? meaning_for_pruned(change.path, stage)
                                                : meaning_for_training(change, stage);
    if (meaning == Reuse::Anew) return Reuse::Anew;
    if (meaning == Reuse::Continue) reuse = Reuse::Continue;
  }
  return reuse;
}

bool judges_alike(const std::string& saved_config, const std::string& config,
                  std::string_view best_metric) {
  if (saved_config.empty()) return true;
  const bool by_labels = best_metric.starts_with("top");
  return std::ranges::none_of(changes(saved_config, config), [&](const YamlDifference& change) {
    const std::string& path = change.path;
    if (is_below(path, "data.eval") || is_below(path, "data.splits")) return true;
    const bool of_loss = path.find(".train.loss") != std::string::npos ||
                         path.find(".train.teacher") != std::string::npos ||
                         path.find(".fine_tune.loss") != std::string::npos ||
                         path.find(".fine_tune.teacher") != std::string::npos;
    return !by_labels && of_loss;
  });
}

void log_recipe_changes(const std::string& saved_config, const Recipe& recipe) {
  for (const YamlDifference& change : changes(saved_config, recipe.resolved)) {
    base::log_warning("the recipe was edited since the run began: {}", to_text(change));
  }
}

}  // namespace espalier::recipe
