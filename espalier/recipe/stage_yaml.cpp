#include "espalier/recipe/stage_yaml.h"

#include <array>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/quant/target.h"
#include "espalier/recipe/map_reader.h"

namespace espalier::recipe {
namespace {

/// A map with exactly one entry, `{cosine: {...}}`: its name and its value.
struct Choice {
  std::string name;
  const YamlValue& value;
};

Choice single_entry(const YamlValue& map, std::string_view what) {
  if (map.kind != YamlValue::Kind::Map || map.entries.size() != 1) {
    throw base::UserError({.what = fmt::format("bad value of '{}'", what),
                           .where = map.where(),
                           .got = map.describe(),
                           .expected = "a map with one entry, 'name: {...}'"});
  }
  return {map.entries.front().first, map.entries.front().second};
}

[[noreturn]] void unknown(std::string_view what, const Choice& choice,
                          const std::vector<std::string>& known) {
  throw base::UserError({.what = fmt::format("unknown {} '{}'", what, choice.name),
                         .where = choice.value.where(),
                         .hint = base::suggest_name(choice.name, known)});
}

void parse_optimizer(const YamlValue& value, train::TrainOptions& options) {
  const Choice choice = single_entry(value, "optimizer");
  if (choice.name != "sgd") unknown("optimizer", choice, {"sgd"});
  MapReader reader(choice.value, "optimizer 'sgd'");
  options.optimizer =
      train::SgdOptions{.momentum = reader.number("momentum", 0.9, {.low = 0, .high = 1}),
                        .nesterov = reader.flag("nesterov", false)};
  options.groups.weight_decay = reader.number("weight_decay", 0, {.low = 0, .high = 10});
  options.groups.decay_norms = reader.flag("decay_norms", true);
  options.groups.decay_biases = reader.flag("decay_biases", true);
  reader.finish();
}

train::ScheduleShape parse_shape(const std::string& name, MapReader& reader, const Choice& choice) {
  const MapReader::NumberRange rate{.low = 0, .high = 1e6};
  if (name == "constant") return train::ConstantSchedule{reader.number("lr", 0.1, rate)};
  if (name == "cosine") {
    return train::CosineSchedule{.lr = reader.number("lr", 0.1, rate),
                                 .end_lr = reader.number("end_lr", 0, rate)};
  }
  if (name == "piecewise") {
    return train::PiecewiseSchedule{.boundaries = reader.numbers("boundaries", {}),
                                    .values = reader.numbers("values", {})};
  }
  if (name == "polynomial") {
    return train::PolynomialSchedule{.lr = reader.number("lr", 0.1, rate),
                                     .end_lr = reader.number("end_lr", 0, rate),
                                     .power = reader.number("power", 1, {.low = 0, .high = 100})};
  }
  if (name == "step") {
    return train::StepSchedule{
        .lr = reader.number("lr", 0.1, rate),
        .every_epochs = reader.number("every_epochs", 30, {.low = 1e-6, .high = 1e6}),
        .gamma = reader.number("gamma", 0.1, {.low = 0, .high = 1})};
  }
  unknown("schedule", choice, {"constant", "cosine", "piecewise", "polynomial", "step"});
}

train::ScheduleOptions parse_schedule(const YamlValue& value) {
  const Choice choice = single_entry(value, "schedule");
  MapReader reader(choice.value, fmt::format("schedule '{}'", choice.name));
  train::ScheduleOptions options{.shape = parse_shape(choice.name, reader, choice)};
  options.warm_up = {.epochs = reader.number("warmup_epochs", 0, {.low = 0, .high = 1e6}),
                     .steps = reader.integer("warmup_steps", 0, {.low = 0, .high = 1'000'000'000}),
                     .start_lr = reader.number("warmup_start_lr", 0, {.low = 0, .high = 1e6})};
  reader.finish();
  return options;
}

/// `loss: [{cross_entropy: {smoothing: 0.1}}]`; the smoothing.
double parse_loss(const YamlValue& list) {
  if (list.kind != YamlValue::Kind::List || list.items.size() != 1) {
    throw base::UnsupportedError({.what = "bad value of 'loss'",
                                  .where = list.where(),
                                  .got = list.describe(),
                                  .expected = "a list with one entry, 'cross_entropy'"});
  }
  const Choice choice = single_entry(list.items.front(), "loss");
  if (choice.name != "cross_entropy") unknown("loss", choice, {"cross_entropy"});
  if (choice.value.kind == YamlValue::Kind::Null) return 0;
  MapReader reader(choice.value, "loss 'cross_entropy'");
  const double smoothing = reader.number("smoothing", 0, {.low = 0, .high = 0.999});
  reader.finish();
  return smoothing;
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
  options.bits = static_cast<int>(reader.integer("bits", 8, {.low = 2, .high = 8}));
  if (const YamlValue* flag = reader.find(flag_name)) options.flag = read_flag(*flag, flag_name);
  options.method = reader.text("method", options.method);
  reader.finish();
  return options;
}

VerifyConfig parse_verify(const YamlValue* map) {
  VerifyConfig config;
  if (map == nullptr) return config;
  MapReader reader(*map, "'verify'");
  config.max_drop = reader.number("max_drop", config.max_drop, {.low = 0, .high = 100});
  config.min_agreement =
      reader.number("min_agreement", config.min_agreement, {.low = 0, .high = 1});
  config.min_integer_mac_share =
      reader.number("min_integer_mac_share", config.min_integer_mac_share, {.low = 0, .high = 1});
  config.allow_slower = reader.flag("allow_slower", config.allow_slower);
  config.latency_rounds = static_cast<int>(
      reader.integer("latency_rounds", config.latency_rounds, {.low = 0, .high = 100000}));
  config.samples = reader.integer("samples", config.samples, {.low = 0, .high = 1'000'000'000});
  if (reader.find("engines") != nullptr) config.engines = reader.texts("engines");
  reader.finish();
  return config;
}

}  // namespace

TrainStage parse_train_stage(const YamlValue& map, const Recipe& recipe) {
  MapReader reader(map, "stage 'train'");
  TrainStage stage;
  train::TrainOptions& options = stage.options;
  options.seed = recipe.seed;
  options.metrics = recipe.metrics;
  options.epochs = reader.integer("epochs", 1, {.low = 1, .high = 1'000'000});
  if (const YamlValue* value = reader.find("optimizer")) parse_optimizer(*value, options);
  if (const YamlValue* value = reader.find("schedule")) options.schedule = parse_schedule(*value);
  if (const YamlValue* value = reader.find("loss")) stage.smoothing = parse_loss(*value);
  options.evaluate_every_epochs =
      reader.integer("evaluate_every_epochs", 1, {.low = 1, .high = 1'000'000});
  options.log_every_steps = reader.integer("log_every_steps", 20, {.low = 0, .high = 1'000'000});
  options.best_metric = reader.text("best_metric", recipe.metrics.front().name());
  options.checkpoints.keep =
      static_cast<int>(reader.integer("keep_checkpoints", 2, {.low = 1, .high = 1000}));
  options.checkpoints.every_steps =
      reader.integer("checkpoint_every_steps", 0, {.low = 0, .high = 1'000'000'000});
  reader.finish();
  return stage;
}

QuantizeStage parse_quantize_stage(const YamlValue& map) {
  MapReader reader(map, "stage 'quantize'");
  static constexpr std::array<std::string_view, 2> kModes{"ptq", "qat"};
  if (reader.choice("mode", kModes, "ptq") == "qat") {
    throw base::UnsupportedError({.what = "quantize mode 'qat' is not supported",
                                  .where = map.where(),
                                  .hint = "use mode 'ptq'"});
  }
  QuantizeStage stage;
  quant::PlanOptions& plan = stage.plan;
  plan.target = reader.text("target", plan.target);
  static_cast<void>(quant::find_target(plan.target));
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
  plan.percentile = reader.number("percentile", plan.percentile, {.low = 50, .high = 100});
  plan.hist_percent = reader.number("hist_percent", plan.hist_percent, {.low = 0.5, .high = 1});
  plan.reduce_range = reader.flag("reduce_range", plan.reduce_range);
  plan.skip = reader.texts("skip");
  plan.quantize_first = reader.flag("quantize_first", plan.quantize_first);
  plan.quantize_last = reader.flag("quantize_last", plan.quantize_last);
  stage.bias_correction = reader.flag("bias_correction", stage.bias_correction);
  stage.rounding = reader.flag("rounding", stage.rounding);
  stage.verify = parse_verify(reader.find("verify"));
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
