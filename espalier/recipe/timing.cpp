#include "espalier/recipe/timing.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/deploy/bench.h"
#include "espalier/deploy/cpu.h"
#include "espalier/deploy/engine.h"
#include "espalier/recipe/model_source.h"
#include "espalier/report/table.h"

namespace espalier::recipe {
namespace {

using report::Json;

/// "1x3x224x224", several inputs with commas.
std::string input_text(const std::vector<std::vector<std::int64_t>>& inputs) {
  std::vector<std::string> texts;
  for (const auto& sizes : inputs) texts.push_back(fmt::format("{}", fmt::join(sizes, "x")));
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// Says so where the models were given inputs of different sizes.
std::string input_note(const std::vector<Json>& rows) {
  const std::string& first = rows.front().at("input").as_string();
  const bool equal = std::ranges::all_of(
      rows, [&](const Json& row) { return row.at("input").as_string() == first; });
  return equal
             ? fmt::format("input: {}\n", first)
             : "the models take inputs of different sizes: their times are not for the same work\n";
}

Json row_json(const deploy::BenchRow& row) {
  Json json = Json::object();
  json["model"] = row.model;
  json["engine"] = row.engine;
  json["version"] = row.version;
  json["input"] = input_text(row.inputs);
  json["median_ms"] = row.latency.median_ms;
  json["p10_ms"] = row.latency.p10_ms;
  json["p90_ms"] = row.latency.p90_ms;
  json["speed"] = row.against_first.ratio;
  if (row.against_first.interval) {
    json["speed_low"] = row.against_first.low;
    json["speed_high"] = row.against_first.high;
  }
  return json;
}

std::string interval_text(const Json& row) {
  const Json* low = row.find("speed_low");
  if (low == nullptr) return "-";
  return fmt::format("{:.2f} to {:.2f}", low->as_number(), row.at("speed_high").as_number());
}

}  // namespace

report::Json time_models(const TimingRequest& request) {
  std::vector<std::string> files;
  files.reserve(request.models.size());
  for (const std::filesystem::path& model : request.models) files.push_back(onnx_bytes(model));
  Json json = Json::object();
  json["cpu"] = deploy::describe(deploy::cpu_features());
  json["threads"] = request.threads;
  json["rows"] = Json::array();
  for (const std::string& engine :
       request.engines.empty() ? deploy::engine_names() : request.engines) {
    std::vector<deploy::BenchSubject> subjects;
    for (std::size_t index = 0; index < files.size(); ++index) {
      subjects.push_back(
          {.model = request.models[index].string(), .bytes = files[index], .engine = engine});
    }
    for (const deploy::BenchRow& row :
         deploy::bench(subjects, {.latency = {.rounds = request.rounds},
                                 .threads = request.threads,
                                 .batch = request.batch,
                                 .unknown_size = {request.unknown_size, request.unknown_size},
                                 .seed = request.seed})) {
      json["rows"].push_back(row_json(row));
    }
  }
  return json;
}

std::string timing_text(const report::Json& json) {
  using Align = report::Align;
  report::TextTable table({{.title = "model", .align = Align::Left},
                           {.title = "engine", .align = Align::Left},
                           {.title = "input"},
                           {.title = "median"},
                           {.title = "p10"},
                           {.title = "p90"},
                           {.title = "speed"},
                           {.title = "95 % interval"}});
  for (const Json& row : json.at("rows").items()) {
    table.add_row({row.at("model").as_string(), row.at("engine").as_string(),
                   row.at("input").as_string(),
                   report::format_milliseconds(row.at("median_ms").as_number()),
                   report::format_milliseconds(row.at("p10_ms").as_number()),
                   report::format_milliseconds(row.at("p90_ms").as_number()),
                   fmt::format("{:.2f}x", row.at("speed").as_number()), interval_text(row)});
  }
  return fmt::format(
      "{}\n{}speed: the first model's time / this one's, median over paired rounds\n{}",
      json.at("cpu").as_string(), table.render(), input_note(json.at("rows").items()));
}

}  // namespace espalier::recipe
