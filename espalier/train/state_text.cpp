#include "espalier/train/state_text.h"

#include <charconv>

#include "espalier/base/check.h"
#include "espalier/report/json.h"

namespace espalier::train {
namespace {

using report::Json;

Json values_to_json(const MetricValues& values) {
  Json object = Json::object();
  for (const auto& [name, value] : values) object[name] = value;
  return object;
}

MetricValues values_from_json(const Json& object) {
  MetricValues values;
  for (const auto& [name, value] : object.members()) values[name] = value.as_number();
  return values;
}

Json record_to_json(const EpochRecord& record) {
  Json object = Json::object();
  object["epoch"] = record.epoch;
  object["training"] = values_to_json(record.training);
  object["evaluation"] = values_to_json(record.evaluation);
  return object;
}

EpochRecord record_from_json(const Json& object) {
  return {.epoch = object.at("epoch").as_integer(),
          .training = values_from_json(object.at("training")),
          .evaluation = values_from_json(object.at("evaluation"))};
}

/// Counts are never negative in a file that we wrote.
std::int64_t count_from_json(const Json& object, std::string_view key) {
  const std::int64_t count = object.at(key).as_integer();
  base::check(count >= 0, "'{}' is {}, expected 0 or more", key, count);
  return count;
}

/// 64 bits do not fit a JSON number.
std::uint64_t seed_from_json(const Json& value) {
  const std::string& text = value.as_string();
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  base::check(error == std::errc() && end == text.data() + text.size(),
              "'seed' is '{}', expected an integer", text);
  return seed;
}

TrainState read_state(const Json& root) {
  TrainState state;
  state.epoch = count_from_json(root, "epoch");
  state.step_in_epoch = count_from_json(root, "step_in_epoch");
  state.data_offset = count_from_json(root, "data_offset");
  state.step = count_from_json(root, "step");
  state.steps_per_epoch = count_from_json(root, "steps_per_epoch");
  state.seed = seed_from_json(root.at("seed"));
  state.optimizer = root.at("optimizer").as_string();
  state.schedule = root.at("schedule").as_string();
  const Json& best = root.at("best");
  state.best_metric = best.at("metric").as_string();
  state.best_value = best.at("value").as_number();
  state.best_epoch = count_from_json(best, "epoch");
  for (const auto& [name, meter] : root.at("meters").members()) {
    state.meters[name] = {.sum = meter.at("sum").as_number(),
                          .weight = meter.at("weight").as_number()};
  }
  for (const Json& record : root.at("history").items()) {
    state.history.push_back(record_from_json(record));
  }
  state.config = root.at("config").as_string();
  state.threads = static_cast<int>(count_from_json(root, "threads"));
  state.instruction_set = root.at("instruction_set").as_string();
  for (const auto& [name, version] : root.at("versions").members()) {
    state.versions[name] = version.as_string();
  }
  return state;
}

}  // namespace

std::string state_to_text(const TrainState& state) {
  Json root = Json::object();
  root["epoch"] = state.epoch;
  root["step_in_epoch"] = state.step_in_epoch;
  root["data_offset"] = state.data_offset;
  root["step"] = state.step;
  root["steps_per_epoch"] = state.steps_per_epoch;
  root["seed"] = fmt::format("{}", state.seed);
  root["optimizer"] = state.optimizer;
  root["schedule"] = state.schedule;
  Json& best = root["best"] = Json::object();
  best["metric"] = state.best_metric;
  best["value"] = state.best_value;
  best["epoch"] = state.best_epoch;
  Json& meters = root["meters"] = Json::object();
  for (const auto& [name, meter] : state.meters) {
    Json& entry = meters[name] = Json::object();
    entry["sum"] = meter.sum;
    entry["weight"] = meter.weight;
  }
  Json& history = root["history"] = Json::array();
  for (const EpochRecord& record : state.history) history.push_back(record_to_json(record));
  root["config"] = state.config;
  root["threads"] = state.threads;
  root["instruction_set"] = state.instruction_set;
  Json& versions = root["versions"] = Json::object();
  for (const auto& [name, version] : state.versions) versions[name] = version;
  return report::to_text(root) + "\n";
}

TrainState state_from_text(std::string_view text, std::string_view source) {
  try {
    return read_state(report::parse_json(text, source));
  } catch (const base::UserError& error) {
    throw base::UserError(
        base::Problem{.what = fmt::format("cannot read the training state of '{}'", source),
                      .got = error.what()});
  }
}

}  // namespace espalier::train
