#include "espalier/recipe/train_yaml.h"

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/recipe/choice.h"
#include "espalier/recipe/loss_yaml.h"
#include "espalier/recipe/map_reader.h"
#include "espalier/recipe/strategy_yaml.h"

namespace espalier::recipe {
namespace {

/// `- {match: "*.bias", lr_scale: 2, weight_decay: 0}`.
train::GroupRule parse_group(const YamlValue& item) {
  MapReader reader(item, "an entry of 'groups'");
  train::GroupRule rule{.pattern = read_text(reader.require("match"), "match")};
  if (const YamlValue* decay = reader.find("weight_decay")) {
    rule.weight_decay = read_number(*decay, "weight_decay", 0, 10);
  }
  if (const YamlValue* scale = reader.find("lr_scale")) {
    rule.lr_scale = read_number(*scale, "lr_scale", 0, 1e6);
  }
  reader.finish();
  return rule;
}

void parse_groups(MapReader& reader, train::GroupOptions& groups) {
  groups.weight_decay = reader.number("weight_decay", 0, {.low = 0, .high = 10});
  groups.decay_norms = reader.flag("decay_norms", true);
  groups.decay_biases = reader.flag("decay_biases", true);
  groups.quantizer_lr_scale = reader.number("quantizer_lr_scale", 1, {.low = 0, .high = 1e6});
  for (const YamlValue& item : reader.items("groups")) groups.rules.push_back(parse_group(item));
}

void parse_optimizer(const YamlValue& value, train::TrainOptions& options) {
  const Choice choice = single_entry(value, "optimizer");
  MapReader reader(choice.value, fmt::format("optimizer '{}'", choice.name));
  if (choice.name == "sgd") {
    options.optimizer =
        train::SgdOptions{.momentum = reader.number("momentum", 0.9, {.low = 0, .high = 1}),
                          .nesterov = reader.flag("nesterov", false)};
  } else if (choice.name == "adam" || choice.name == "adamw") {
    options.optimizer =
        train::AdamOptions{.beta1 = reader.number("beta1", 0.9, {.low = 0, .high = 1}),
                           .beta2 = reader.number("beta2", 0.999, {.low = 0, .high = 1}),
                           .epsilon = reader.number("epsilon", 1e-8, {.low = 1e-30, .high = 1}),
                           .decoupled_decay = choice.name == "adamw"};
  } else {
    refuse_choice("optimizer", choice, {"sgd", "adam", "adamw"});
  }
  parse_groups(reader, options.groups);
  reader.finish();
}

/// `{global_norm: 1}` or `{value: 0.5}`.
train::ClipOptions parse_clip(const YamlValue& map) {
  const Choice choice = single_entry(map, "clip");
  const double limit = read_number(choice.value, choice.name, 1e-30, 1e30);
  if (choice.name == "global_norm") {
    return {.kind = train::ClipOptions::Kind::GlobalNorm, .limit = limit};
  }
  if (choice.name == "value") return {.kind = train::ClipOptions::Kind::Value, .limit = limit};
  refuse_choice("clip", choice, {"global_norm", "value"});
}

train::EmaOptions parse_ema(const YamlValue& map) {
  MapReader reader(map, "'ema'");
  const train::EmaOptions options{
      .decay = reader.number("decay", 0.999, {.low = 0, .high = 0.99999999}),
      .warm_up = reader.flag("warm_up", true)};
  reader.finish();
  return options;
}

/// `{bn_scale: 1e-4}`.
train::SparsityOptions parse_sparsity(const YamlValue& map) {
  MapReader reader(map, "'sparsity'");
  const train::SparsityOptions options{.bn_scale =
                                           reader.number("bn_scale", 0, {.low = 0, .high = 1e6})};
  reader.finish();
  return options;
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
  refuse_choice("schedule", choice, {"constant", "cosine", "piecewise", "polynomial", "step"});
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

/// Loss, teacher and strategies.
void parse_terms(MapReader& reader, const Recipe& recipe, TrainStage& stage) {
  if (const YamlValue* value = reader.find("loss")) stage.losses = parse_losses(*value);
  if (const YamlValue* value = reader.find("teacher")) {
    stage.teacher = parse_teacher(*value, recipe);
    if (!needs_teacher(stage.losses)) {
      throw base::UserError({.what = "'teacher' is of no use: no term of 'loss' has one",
                             .where = value->where(),
                             .hint = "add a term such as {distil_kl: {temperature: 4}}"});
    }
  }
  if (const YamlValue* value = reader.find("strategies")) {
    stage.strategies = parse_strategies(*value, stage.options.epochs, recipe);
  }
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
  if (const YamlValue* value = reader.find("clip")) options.clip = parse_clip(*value);
  if (const YamlValue* value = reader.find("ema")) options.ema = parse_ema(*value);
  if (const YamlValue* value = reader.find("sparsity")) options.sparsity = parse_sparsity(*value);
  parse_terms(reader, recipe, stage);
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

}  // namespace espalier::recipe
