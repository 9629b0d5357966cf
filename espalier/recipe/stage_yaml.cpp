#include "espalier/recipe/stage_yaml.h"

#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/deploy/engine.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/qat_yaml.h"

namespace espalier::recipe {
namespace {

constexpr std::int64_t kLeastBits = 2;
constexpr std::int64_t kMostBits = 16;

/// Runs a check of what was read and adds the place to what it says.
template <typename Check>
void checked(const MapReader& reader, const Check& check) {
  try {
    check();
  } catch (const base::UserError& error) {
    throw base::UserError({.what = error.what(), .where = reader.map().where()});
  }
}

/// `- {match: "conv1*", weights: 8, activations: 8}`.
quant::BitsRule parse_bits_rule(const YamlValue& item) {
  MapReader reader(item, "an entry of 'bits'");
  quant::BitsRule rule{.pattern = read_text(reader.require("match"), "match")};
  const auto bits_of = [&](std::string_view key) -> std::optional<int> {
    const YamlValue* value = reader.find(key);
    if (value == nullptr) return std::nullopt;
    return static_cast<int>(read_integer(*value, key, kLeastBits, kMostBits));
  };
  rule.weights = bits_of("weights");
  rule.activations = bits_of("activations");
  if (!rule.weights && !rule.activations) {
    throw base::UserError({.what = "a rule of 'bits' says nothing",
                           .where = item.where(),
                           .expected = "'weights' or 'activations' beside 'match'"});
  }
  reader.finish();
  return rule;
}

/// `activations: {bits: 8, symmetric: true}` and the like.
struct TensorOptions {
  int bits = 8;
  std::optional<bool> flag = std::nullopt;
  std::string method;
};

TensorOptions parse_tensor_options(const YamlValue* map, std::string_view what,
                                   std::string_view flag_name, std::string method) {
  TensorOptions options{.method = std::move(method)};
  if (map == nullptr) return options;
  MapReader reader(*map, fmt::format("'{}'", what));
  options.bits =
      static_cast<int>(reader.integer("bits", 8, {.low = kLeastBits, .high = kMostBits}));
  if (const YamlValue* flag = reader.find(flag_name)) options.flag = read_flag(*flag, flag_name);
  options.method = reader.text("method", options.method);
  reader.finish();
  return options;
}

VerifyConfig parse_verify(const YamlValue* map, VerifyConfig config) {
  if (map == nullptr) return config;
  MapReader reader(*map, "'verify'");
  config.max_drop = reader.number("max_drop", config.max_drop, {.low = 0, .high = 100});
  config.min_agreement =
      reader.number("min_agreement", config.min_agreement, {.low = 0, .high = 1});
  config.min_simulation_agreement = reader.number(
      "min_simulation_agreement", config.min_simulation_agreement, {.low = 0, .high = 1});
  config.min_value_sqnr_db =
      reader.number("min_value_sqnr_db", config.min_value_sqnr_db, {.low = 0, .high = 200});
  constexpr std::string_view kMeanings[] = {"auto", "values"};
  if (reader.choice("outputs", kMeanings, kMeanings[0]) == kMeanings[1]) {
    config.outputs = deploy::OutputMeaning::Values;
  }
  config.min_integer_mac_share =
      reader.number("min_integer_mac_share", config.min_integer_mac_share, {.low = 0, .high = 1});
  config.allow_slower = reader.flag("allow_slower", config.allow_slower);
  config.latency_rounds = static_cast<int>(
      reader.integer("latency_rounds", config.latency_rounds, {.low = 0, .high = 100000}));
  config.samples = reader.integer("samples", config.samples, {.low = 0, .high = 1'000'000'000});
  if (reader.find("engines") != nullptr) config.engines = reader.texts("engines");
  checked(reader, [&] { deploy::check_engine_names(config.engines); });
  reader.finish();
  return config;
}

}  // namespace

quant::PlanOptions read_plan_options(MapReader& reader) {
  quant::PlanOptions plan;
  plan.target = reader.text("target", plan.target);
  plan.method = reader.text("method", plan.method);
  const TensorOptions activations =
      parse_tensor_options(reader.find("activations"), "activations", "symmetric", plan.method);
  plan.method = activations.method;
  plan.symmetric = activations.flag;
  plan.activation_bits = activations.bits;
  const TensorOptions weights =
      parse_tensor_options(reader.find("weights"), "weights", "per_channel", plan.weight_method);
  plan.weight_method = weights.method;
  plan.per_channel = weights.flag;
  plan.weight_bits = weights.bits;
  for (const YamlValue& item : reader.items("bits")) plan.bits.push_back(parse_bits_rule(item));
  plan.percentile = reader.number("percentile", plan.percentile, {.low = 51, .high = 100});
  plan.hist_percent = reader.number("hist_percent", plan.hist_percent, {.low = 0.5, .high = 1});
  plan.reduce_range = reader.flag("reduce_range", plan.reduce_range);
  plan.skip = reader.texts("skip");
  plan.quantize_first = reader.flag("quantize_first", plan.quantize_first);
  plan.quantize_last = reader.flag("quantize_last", plan.quantize_last);
  checked(reader, [&] { quant::check_options(plan); });
  return plan;
}

VerifyConfig read_verify(MapReader& reader, VerifyConfig standard) {
  return parse_verify(reader.find("verify"), std::move(standard));
}

QuantizeStage parse_quantize_stage(const YamlValue& map, const Recipe& recipe) {
  MapReader reader(map, "stage 'quantize'");
  static constexpr std::array<std::string_view, 2> kModes{"ptq", "qat"};
  const bool trains = reader.choice("mode", kModes, "ptq") == "qat";
  QuantizeStage stage;
  stage.plan = read_plan_options(reader);
  if (trains) {
    stage.qat = parse_qat(reader, stage.plan, recipe);
    // Training changes predictions: accuracy judges it.
    stage.verify.min_agreement = 0;
  } else {
    stage.bias_correction = reader.flag("bias_correction", stage.bias_correction);
    stage.rounding = reader.flag("rounding", stage.rounding);
  }
  stage.verify = read_verify(reader, stage.verify);
  reader.finish();
  return stage;
}

ExportStage parse_export_stage(const YamlValue& map) {
  ExportStage stage;
  if (map.kind == YamlValue::Kind::Null) return stage;
  MapReader reader(map, "stage 'export'");
  stage.opset = static_cast<int>(reader.integer("opset", stage.opset, {.low = 13, .high = 23}));
  reader.finish();
  return stage;
}

}  // namespace espalier::recipe
