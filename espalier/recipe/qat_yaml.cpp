#include "espalier/recipe/qat_yaml.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/quant/quantizer_name.h"
#include "espalier/recipe/train_yaml.h"

namespace espalier::recipe {
namespace {

/// Rate of a fine-tuning that says nothing of its own: what a float training starts with would
/// forget the float weights.
constexpr double kQatRate = 0.001;

passes::EstimatorChoice choice_of(std::string_view name, quant::QuantizerRole role) {
  const quant::QuantizerName& row = quant::find_quantizer(name, role);
  return {.estimator = std::string(row.estimator), .per_channel = row.per_channel};
}

/// The quantizer that a key names; nothing where the map does not say.
std::optional<passes::EstimatorChoice> read_choice(MapReader& reader, std::string_view key,
                                                   quant::QuantizerRole role) {
  const YamlValue* value = reader.find(key);
  if (value == nullptr) return std::nullopt;
  try {
    return choice_of(read_text(*value, key), role);
  } catch (const base::UserError& error) {
    throw base::UserError({.what = fmt::format("bad value of '{}'", key),
                           .where = value->where(),
                           .got = value->describe(),
                           .hint = error.what()});
  }
}

/// The name of a quantizer says how many scales a weight has, and so may `weights: {per_channel}`.
void check_scales(MapReader& reader, const passes::EstimatorChoice& weights,
                  const quant::PlanOptions& plan) {
  const YamlValue* value = reader.find("weights");
  if (value == nullptr || !plan.per_channel || *plan.per_channel == weights.per_channel) return;
  throw base::UserError(
      {.what = "the quantizer of weights contradicts 'per_channel'",
       .where = value->where(),
       .got = fmt::format("{} beside per_channel: {}", value->describe(), *plan.per_channel),
       .hint = "leave one of the two out"});
}

/// `- {match: "conv1*", weights: lsq_weight, activations: pact}`.
passes::EstimatorRule read_rule(const YamlValue& item, const quant::PlanOptions& plan) {
  MapReader reader(item, "an entry of 'rules'");
  passes::EstimatorRule rule{.pattern = read_text(reader.require("match"), "match")};
  rule.weights = read_choice(reader, "weights", quant::QuantizerRole::Weight);
  if (rule.weights) check_scales(reader, *rule.weights, plan);
  rule.activations = read_choice(reader, "activations", quant::QuantizerRole::Activation);
  if (!rule.weights && !rule.activations) {
    throw base::UserError({.what = "an entry of 'rules' chooses nothing",
                           .where = item.where(),
                           .expected = "'weights', 'activations' or both beside 'match'"});
  }
  reader.finish();
  return rule;
}

/// A key that belongs to some quantizers of activations is refused where none of them is chosen.
void check_used(MapReader& reader, std::string_view key, std::string_view prefix,
                const passes::TrainingQuantizers& options) {
  const YamlValue* value = reader.find(key);
  const auto uses = [&](const passes::EstimatorChoice& choice) {
    return choice.estimator.starts_with(prefix);
  };
  const bool is_used =
      uses(options.activations) || std::ranges::any_of(options.rules, [&](const auto& rule) {
        return rule.activations && uses(*rule.activations);
      });
  if (value == nullptr || is_used) return;
  throw base::UserError({.what = fmt::format("'{}' is used by no quantizer", key),
                         .where = value->where(),
                         .got = fmt::format("activations: {}", options.activations.estimator),
                         .expected = fmt::format("a quantizer {}*", prefix)});
}

/// abs_max computes a weight's scale anew in every step: how the first one is found has no effect.
void check_weight_method(const MapReader& stage, const passes::TrainingQuantizers& options) {
  const YamlValue* weights = stage.map().find("weights");
  const YamlValue* method = weights == nullptr || weights->kind != YamlValue::Kind::Map
                                ? nullptr
                                : weights->find("method");
  const auto keeps_start = [](const passes::EstimatorChoice& choice) {
    return choice.estimator != "abs_max";
  };
  if (method == nullptr || keeps_start(options.weights)) return;
  if (std::ranges::any_of(options.rules, [&](const auto& rule) {
        return rule.weights && keeps_start(*rule.weights);
      })) {
    return;
  }
  throw base::UserError({.what = "'method' of weights is used by no quantizer",
                         .where = method->where(),
                         .got = "abs_max for all of them, which computes scales in every step",
                         .expected = "a learned scale, such as channel_wise_lsq_weight"});
}

/// True when a map says which range activations are calibrated to.
bool names_range_method(const YamlValue& map) {
  const YamlValue* activations = map.find("activations");
  return map.find("method") != nullptr ||
         (activations != nullptr && activations->find("method") != nullptr);
}

}  // namespace

QuantizerKeys read_quantizers(MapReader& reader_of_map, quant::PlanOptions& plan) {
  QuantizerKeys keys;
  const YamlValue* map = reader_of_map.find("quantizers");
  if (map == nullptr) {
    check_weight_method(reader_of_map, keys.quantizers);
    return keys;
  }
  MapReader reader(*map, "'quantizers'");
  passes::TrainingQuantizers& options = keys.quantizers;
  options.weights = read_choice(reader, "weights", quant::QuantizerRole::Weight)
                        .value_or(std::move(options.weights));
  check_scales(reader, options.weights, plan);
  options.activations = read_choice(reader, "activations", quant::QuantizerRole::Activation)
                            .value_or(std::move(options.activations));
  if (options.activations.estimator == "abs_max" && !names_range_method(reader_of_map.map())) {
    plan.method = "min_max";
  }
  options.rate = static_cast<float>(reader.number("moving_rate", static_cast<double>(options.rate),
                                                  {.low = 0, .high = 0.999999}));
  options.window = reader.integer("window_size", options.window, {.low = 1, .high = 1'000'000});
  static constexpr std::array<std::string_view, 4> kForms{"live", "folded", "frozen",
                                                          "re_estimated"};
  const std::string form = reader.choice("batch_norm", kForms, kForms[0]);
  if (form == kForms[1]) options.batch_norm = passes::BatchNormForm::Folded;
  keys.frozen_batch_norm = form == kForms[2];
  keys.reestimate_batch_norm = form == kForms[3];
  for (const YamlValue& item : reader.items("rules")) {
    options.rules.push_back(read_rule(item, plan));
  }
  check_used(reader, "moving_rate", "moving_average", options);
  check_used(reader, "window_size", "range_abs_max", options);
  check_weight_method(reader_of_map, options);
  reader.finish();
  return keys;
}

QatConfig parse_qat(MapReader& stage, quant::PlanOptions& plan, const Recipe& recipe) {
  QatConfig config;
  const YamlValue& training = stage.require("train");
  config.train = parse_train_stage(training, recipe);
  if (training.find("schedule") == nullptr) {
    config.train.options.schedule.shape = train::CosineSchedule{.lr = kQatRate};
  }
  const QuantizerKeys keys = read_quantizers(stage, plan);
  config.quantizers = keys.quantizers;
  config.reestimate_batch_norm = keys.reestimate_batch_norm;
  if (keys.frozen_batch_norm) {
    config.train.strategies.push_back(
        {.span = {.start = 0, .end = config.train.options.epochs - 1},
         .what = FreezeObservedConfig{.what = FreezeObservedConfig::What::BatchNorm}});
  }
  const auto& strategies = config.train.strategies;
  if (std::ranges::any_of(strategies, [](const StrategyConfig& strategy) {
        return std::holds_alternative<EpochExportConfig>(strategy.what);
      })) {
    throw base::UserError(
        {.what = "a stage 'quantize' cannot hold a strategy 'export'",
         .where = training.where(),
         .hint = "its model has quantizers all along; the stage itself exports it"});
  }
  if (prunes(config.train)) {
    throw base::UnsupportedError(
        {.what = "a stage 'quantize' cannot hold a strategy 'prune'",
         .where = training.where(),
         .hint = "its plan is of the whole model: prune in a stage before it, or put both "
                 "strategies into a stage 'train'"});
  }
  if (quantize_strategy(config.train) != nullptr) {
    throw base::UserError({.what = "a stage 'quantize' cannot hold a strategy 'quantize'",
                           .where = training.where(),
                           .hint = "that strategy belongs into a stage 'train'"});
  }
  return config;
}

}  // namespace espalier::recipe
