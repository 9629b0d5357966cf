#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "espalier/recipe/pruning_report.h"
#include "espalier/recipe/report.h"
#include "espalier/report/table.h"

namespace espalier::recipe {
namespace {

using report::Card;
using report::DataTable;
using report::Json;
using report::Section;
using report::Tone;

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();

double number_or(const Json* json, double fallback) {
  return json != nullptr && json->is_number() ? json->as_number() : fallback;
}

/// The number at `first.second`, or a gap.
double nested(const Json& json, std::string_view first, std::string_view second) {
  const Json* outer = json.find(first);
  return outer == nullptr ? kGap : number_or(outer->find(second), kGap);
}

std::string percent(double share) {
  return report::format_percent(share);
}

std::vector<std::string> engine_names(const Json& json) {
  std::vector<std::string> names;
  for (const Json& engine : json.at("engines").items()) {
    names.push_back(engine.at("name").as_string());
  }
  return names;
}

Card accuracy_card(const Json& json) {
  double worst = std::numeric_limits<double>::infinity();
  double of_float = kGap;
  for (const Json& engine : json.at("engines").items()) {
    const double value = nested(engine, "metrics", "top1");
    if (value < worst) {
      worst = value;
      of_float = nested(engine, "float_metrics", "top1");
    }
  }
  if (!std::isfinite(worst)) return {.title = "Top-1 accuracy", .value = "no labels"};
  return {.title = "Top-1 accuracy, INT8",
          .value = fmt::format("{:.2f} %", worst),
          .detail = fmt::format("float {:.2f} %, {:+.2f} points", of_float, worst - of_float),
          .tone = worst >= of_float - 0.5 ? Tone::Good : Tone::Warning};
}

Card size_card(const Json& json) {
  const double before = nested(json, "float", "bytes");
  const double after = nested(json, "compressed", "bytes");
  return {.title = "File size",
          .value = report::format_bytes(after),
          .detail = fmt::format("float {}, {:.2f}x smaller", report::format_bytes(before),
                                before / after),
          .tone = Tone::Good};
}

Card agreement_card(const Json& json) {
  const double share = number_or(json.find("agreement"), kGap);
  if (!std::isfinite(share)) return {.title = "Agreement with float", .value = "not compared"};
  const double left_out = number_or(json.find("skipped_images"), 0);
  return {.title = "Agreement with float",
          .value = percent(share),
          .detail = fmt::format("equal predictions on {:.0f} images{}",
                                number_or(json.find("judging_images"), 0),
                                left_out > 0 ? fmt::format(" ({:.0f} left out)", left_out) : ""),
          .tone = share >= 0.98 ? Tone::Good : Tone::Warning};
}

/// What misses its usual mark is bad only where the engine's bounds, which the user may have
/// lowered, are missed too.
Tone judged(bool reached, const Json& engine) {
  if (reached) return Tone::Good;
  return engine.at("passed").as_bool() ? Tone::Warning : Tone::Bad;
}

Card unmeasured(std::string title) {
  return {.title = std::move(title), .value = "–", .detail = "not measured"};
}

Card speed_card(const Json& engine) {
  const Json* speedup = engine.find("speedup");
  const std::string name = engine.at("name").as_string();
  if (speedup == nullptr) return unmeasured("Speed, " + name);
  const double ratio = speedup->at("ratio").as_number();
  const double low = number_or(speedup->find("low"), kGap);
  const double high = number_or(speedup->find("high"), kGap);
  return {.title = "Speed, " + name,
          .value = fmt::format("{:.2f}x", ratio),
          .detail = std::isfinite(low) ? fmt::format("95 % interval {:.2f} to {:.2f}", low, high)
                                       : "too few rounds for an interval",
          .tone = judged(ratio > 1, engine)};
}

Card integer_card(const Json& json) {
  const auto share = [](const Json& engine) { return engine.at("integer_mac_share").as_number(); };
  const auto& engines = json.at("engines").items();
  const auto worst = std::ranges::min_element(engines, {}, share);
  if (worst == engines.end()) return unmeasured("Work done in integers");
  const double smallest = share(*worst);
  return {.title = "Work done in integers",
          .value = percent(smallest),
          .detail = "share of multiply-accumulates, worst engine",
          .tone = judged(smallest >= 0.98, *worst)};
}

Section comparison(const Json& json) {
  Section section{.title = "Float against INT8"};
  const std::vector<std::string> names = engine_names(json);
  report::BarChart accuracy{.title = "Top-1 accuracy", .labels = names, .unit = "%"};
  report::BarChart latency{.title = "Latency, batch 1 (median)", .labels = names, .unit = "ms"};
  std::vector<double> values[4];
  bool labelled = false;
  bool timed = false;
  for (const Json& engine : json.at("engines").items()) {
    const std::string name = engine.at("name").as_string();
    values[0].push_back(nested(engine, "float_metrics", "top1"));
    values[1].push_back(nested(engine, "metrics", "top1"));
    values[2].push_back(nested(json.at("float").at("latency_ms"), name, "median"));
    values[3].push_back(nested(json.at("compressed").at("latency_ms"), name, "median"));
    labelled = labelled || std::isfinite(values[1].back());
    timed = timed || std::isfinite(values[3].back());
  }
  accuracy.series = {{.name = "float", .values = values[0]}, {.name = "INT8", .values = values[1]}};
  latency.series = {{.name = "float", .values = values[2]}, {.name = "INT8", .values = values[3]}};
  if (labelled) section.blocks.emplace_back(accuracy);
  if (timed) section.blocks.emplace_back(latency);
  section.blocks.emplace_back(
      report::BarChart{.title = "File size",
                       .labels = {"float", "INT8"},
                       .series = {{.name = "size",
                                   .values = {nested(json, "float", "bytes") / 1e6,
                                              nested(json, "compressed", "bytes") / 1e6}}},
                       .unit = "MB"});
  return section;
}

Section engines_section(const Json& json) {
  using Kind = DataTable::Kind;
  DataTable table{.columns = {{.title = "Engine"},
                              {.title = "Version", .kind = Kind::Code},
                              {.title = "Verdict", .kind = Kind::Badge},
                              {.title = "Integer MACs %", .kind = Kind::Number},
                              {.title = "Agreement %",
                               .kind = Kind::Number,
                               .hint = "equal predictions, INT8 against float"},
                              {.title = "Simulation %",
                               .kind = Kind::Number,
                               .hint = "equal predictions, engine against simulation"},
                              {.title = "Top-1 float", .kind = Kind::Number},
                              {.title = "Top-1 INT8", .kind = Kind::Number},
                              {.title = "Output SQNR dB", .kind = Kind::Number},
                              {.title = "Speed",
                               .kind = Kind::Number,
                               .hint = "time in float / time in INT8, median over paired rounds"}}};
  Section section{.title = "Proof in the engines"};
  for (const Json& engine : json.at("engines").items()) {
    const bool passed = engine.at("passed").as_bool();
    const Json* speedup = engine.find("speedup");
    table.rows.push_back(
        {engine.at("name").as_string(), engine.at("version").as_string(),
         DataTable::Cell(passed ? "passed" : "failed", passed ? Tone::Good : Tone::Bad),
         100 * engine.at("integer_mac_share").as_number(),
         100 * number_or(engine.find("agreement"), kGap),
         100 * number_or(engine.find("simulation_agreement"), kGap),
         nested(engine, "float_metrics", "top1"), nested(engine, "metrics", "top1"),
         number_or(engine.find("output_sqnr_db"), kGap),
         speedup == nullptr ? kGap : speedup->at("ratio").as_number()});
  }
  section.blocks.emplace_back(table);
  for (const Json& engine : json.at("engines").items()) {
    for (const Json& note : engine.at("notes").items()) {
      section.blocks.emplace_back(report::Notice{
          .tone = Tone::Neutral,
          .text = fmt::format("{}: {}", engine.at("name").as_string(), note.as_string())});
    }
  }
  return section;
}

/// Layers whose INT8 form costs more than the float one, where an engine was not faster.
std::optional<Section> slower_section(const Json& json) {
  using Kind = DataTable::Kind;
  using Cell = DataTable::Cell;
  DataTable table{.columns = {{.title = "Engine"},
                              {.title = "Layer", .kind = Kind::Code},
                              {.title = "Type", .kind = Kind::Code},
                              {.title = "Float ms", .kind = Kind::Number, .digits = 4},
                              {.title = "INT8 ms", .kind = Kind::Number, .digits = 4}}};
  for (const Json& engine : json.at("engines").items()) {
    for (const Json& layer : engine.at("slower_layers").items()) {
      const Json& before = layer.at("float_ms");
      table.rows.push_back({engine.at("name").as_string(), layer.at("name").as_string(),
                            layer.at("type").as_string(),
                            before.is_null() ? Cell() : Cell(before.as_number()),
                            layer.at("quantized_ms").as_number()});
    }
  }
  if (table.rows.empty()) return std::nullopt;
  table.note = "A layer without a float time has no counterpart in the float file.";
  return Section{.title = "Layers that cost more in INT8", .blocks = {table}};
}

Section layers_section(const Json& json) {
  using Kind = DataTable::Kind;
  Section section{.title = "Layers",
                  .summary =
                      "SQNR: signal to quantization noise of the layer's output, all errors "
                      "of earlier layers included; below about 15 dB deserves a look."};
  report::BarChart quality{.title = "SQNR of each layer's output", .unit = "dB"};
  report::BarChart ranges{.title = "Input ranges (chosen of observed)", .unit = "%"};
  std::vector<double> decibels;
  std::vector<double> kept;
  DataTable table{.columns = {{.title = "Layer", .kind = Kind::Code},
                              {.title = "Op"},
                              {.title = "Bits", .kind = Kind::Number, .digits = 0},
                              {.title = "MACs M", .kind = Kind::Bar},
                              {.title = "SQNR dB", .kind = Kind::Number, .digits = 1},
                              {.title = "Weight SQNR", .kind = Kind::Number, .digits = 1},
                              {.title = "Input SQNR", .kind = Kind::Number, .digits = 1},
                              {.title = "Input by"},
                              {.title = "Weight by"},
                              {.title = "Scale", .kind = Kind::Number, .digits = 6},
                              {.title = "Zero point", .kind = Kind::Number, .digits = 0},
                              {.title = "Low", .kind = Kind::Number, .digits = 3},
                              {.title = "High", .kind = Kind::Number, .digits = 3},
                              {.title = "Clipped %", .kind = Kind::Number, .digits = 4}}};
  for (const Json& layer : json.at("layers").items()) {
    const double low = number_or(layer.find("low"), kGap);
    const double high = number_or(layer.find("high"), kGap);
    const double observed =
        number_or(layer.find("observed_high"), kGap) - number_or(layer.find("observed_low"), kGap);
    quality.labels.push_back(layer.at("name").as_string());
    decibels.push_back(number_or(layer.find("sqnr_db"), kGap));
    kept.push_back(observed > 0 ? 100 * (high - low) / observed : kGap);
    const Json* method = layer.find("method");
    const Json* weight_method = layer.find("weight_method");
    table.rows.push_back(
        {layer.at("name").as_string(), layer.at("op").as_string(), layer.at("bits").as_number(),
         layer.at("macs").as_number() / 1e6, number_or(layer.find("sqnr_db"), kGap),
         number_or(layer.find("weight_sqnr_db"), kGap),
         number_or(layer.find("input_sqnr_db"), kGap),
         method == nullptr ? std::string("float") : method->as_string(),
         weight_method == nullptr ? std::string() : weight_method->as_string(),
         number_or(layer.find("scale"), kGap), number_or(layer.find("zero_point"), kGap), low, high,
         100 * number_or(layer.find("clipped"), kGap)});
  }
  ranges.labels = quality.labels;
  quality.series = {{.name = "SQNR", .values = decibels}};
  ranges.series = {{.name = "chosen / observed", .values = kept}};
  section.blocks = {quality};
  // What a training learned has no observed range beside it.
  const bool any = std::ranges::any_of(kept, [](double share) { return std::isfinite(share); });
  if (any) section.blocks.emplace_back(ranges);
  section.blocks.emplace_back(table);
  return section;
}

Section operators_section(const Json& json) {
  using Kind = DataTable::Kind;
  DataTable table{.columns = {{.title = "Engine"},
                              {.title = "Operator", .kind = Kind::Code},
                              {.title = "Op"},
                              {.title = "Elements", .kind = Kind::Number, .digits = 0},
                              {.title = "Different", .kind = Kind::Number, .digits = 0},
                              {.title = "Worst step", .kind = Kind::Number, .digits = 0},
                              {.title = "Verdict", .kind = Kind::Badge}}};
  for (const Json& check : json.at("operator_checks").items()) {
    const bool passed = check.at("passed").as_bool();
    table.rows.push_back(
        {check.at("engine").as_string(), check.at("name").as_string(), check.at("op").as_string(),
         check.at("elements").as_number(), check.at("different").as_number(),
         check.at("worst_step").as_number(),
         DataTable::Cell(passed ? "passed" : "failed", passed ? Tone::Good : Tone::Bad)});
  }
  return {.title = "Simulation against the engines, operator by operator",
          .blocks = {table},
          .summary =
              "Each quantized operator alone, fed with the same codes: the difference of "
              "output codes in quantization steps (one is the tolerance).",
          .collapsed = true};
}

std::optional<Section> float_section(const Json& json) {
  using Kind = DataTable::Kind;
  DataTable table{
      .columns = {{.title = "Node", .kind = Kind::Code}, {.title = "Op"}, {.title = "Why"}}};
  for (const Json& node : json.at("float_nodes").items()) {
    table.rows.push_back(
        {node.at("name").as_string(), node.at("op").as_string(), node.at("reason").as_string()});
  }
  if (table.rows.empty()) return std::nullopt;
  return Section{.title = "Left in floating point", .blocks = {table}, .collapsed = true};
}

/// "40.8 M to 20.3 M" where the training cut channels.
std::string cut_macs(const Json& cut) {
  const auto macs = [&](std::string_view when) {
    return report::format_count(cut.at(when).at("macs").as_number());
  };
  return fmt::format("{} to {}", macs("before"), macs("after"));
}

/// "2 of 3 (top1 0.4150)"; empty where no evaluation chose one.
std::string best_epoch(const Json& training) {
  const std::int64_t epoch = training.at("best_epoch").as_integer();
  if (epoch == 0) return "";
  return fmt::format("{} of {} ({} {:.4f})", epoch, training.at("epochs").items().size(),
                     training.at("best_metric").as_string(), training.at("best_value").as_number());
}

Section training_section(const Json& training) {
  report::LineChart loss{.title = "Training loss", .x_title = "epoch"};
  report::LineChart accuracy{.title = "Accuracy", .x_title = "epoch", .y_title = "%"};
  loss.series = {{.name = "loss"}};
  accuracy.series = {{.name = "training top-1"}, {.name = "evaluation top-1"}};
  for (const Json& epoch : training.at("epochs").items()) {
    const double x = epoch.at("epoch").as_number();
    loss.series[0].x.push_back(x);
    loss.series[0].y.push_back(nested(epoch, "training", "loss"));
    for (std::size_t index = 0; index < 2; ++index) {
      accuracy.series[index].x.push_back(x);
      accuracy.series[index].y.push_back(
          100 * nested(epoch, index == 0 ? "training" : "evaluation", "top1"));
    }
  }
  report::Facts facts{{{"Optimizer", training.at("optimizer").as_string()},
                       {"Schedule", training.at("schedule").as_string()},
                       {"Time", report::format_duration(training.at("seconds").as_number())}}};
  if (const std::string best = best_epoch(training); !best.empty()) {
    facts.facts.emplace_back("Best epoch, which ships", best);
  }
  if (const Json* cut = training.find("cut")) facts.facts.emplace_back("MACs", cut_macs(*cut));
  return {.title = "Training", .blocks = {loss, accuracy, facts}};
}

Section facts_section(const Json& json) {
  report::Facts facts;
  facts.facts = {{"Seed", fmt::format("{:.0f}", json.at("seed").as_number())},
                 {"Threads", fmt::format("{:.0f}", json.at("threads").as_number())},
                 {"Processor", json.at("cpu").as_string()}};
  for (const auto& [name, version] : json.at("versions").members()) {
    facts.facts.emplace_back(name, version.as_string());
  }
  for (const auto& [name, value] : json.at("seconds").members()) {
    facts.facts.emplace_back("Time: " + name, report::format_duration(value.as_number()));
  }
  Section section{.title = "How this was made", .blocks = {facts}};
  if (!json.at("command").as_string().empty()) {
    section.blocks.emplace_back(report::Code{json.at("command").as_string()});
  }
  return section;
}

void add_quantization(report::Page& page, const Json& json) {
  report::Verdict verdict{.passed = json.at("passed").as_bool()};
  verdict.text = verdict.passed ? "The INT8 model is verified in every engine"
                                : "The INT8 model failed its verification";
  for (const Json& reason : json.at("failures").items()) {
    verdict.reasons.push_back(reason.as_string());
  }
  page.verdict = verdict;
  page.cards = {accuracy_card(json), agreement_card(json), size_card(json), integer_card(json)};
  for (const Json& engine : json.at("engines").items()) page.cards.push_back(speed_card(engine));
  page.sections.push_back(comparison(json));
  page.sections.push_back(engines_section(json));
  if (auto section = slower_section(json)) page.sections.push_back(*section);
  page.sections.push_back(layers_section(json));
  page.sections.push_back(operators_section(json));
  if (auto section = float_section(json)) page.sections.push_back(*section);
}

}  // namespace

report::Page report_page(const report::Json& json) {
  report::Page page{.title = json.at("title").as_string()};
  if (const Json* target = json.find("target")) {
    page.subtitle = fmt::format("INT8 for target {}, calibrated on {}", target->as_string(),
                                json.at("calibration").as_string());
    add_quantization(page, json);
  }
  if (const Json* pruning = json.find("pruning")) add_pruning(page, *pruning);
  if (const Json* training = json.find("training")) {
    page.sections.push_back(training_section(*training));
  }
  page.sections.push_back(facts_section(json));
  page.footer = fmt::format("Espalier {}", json.at("versions").at("espalier").as_string());
  return page;
}

std::string report_text(const report::Json& json) {
  const Json* pruning = json.find("pruning");
  const std::string pruned = pruning == nullptr ? std::string() : pruning_text(*pruning);
  if (json.find("engines") == nullptr) return pruned;
  using Align = report::Align;
  report::TextTable table({{.title = "engine", .align = Align::Left},
                           {.title = "integer MACs"},
                           {.title = "top-1 float"},
                           {.title = "top-1 INT8"},
                           {.title = "agreement"},
                           {.title = "float ms"},
                           {.title = "INT8 ms"},
                           {.title = "speed"},
                           {.title = "verdict", .align = Align::Left}});
  const auto text = [](double value, std::string_view unit) {
    return std::isfinite(value) ? fmt::format("{:.2f}{}", value, unit) : std::string("-");
  };
  for (const Json& engine : json.at("engines").items()) {
    const std::string name = engine.at("name").as_string();
    table.add_row({name, text(100 * engine.at("integer_mac_share").as_number(), " %"),
                   text(nested(engine, "float_metrics", "top1"), ""),
                   text(nested(engine, "metrics", "top1"), ""),
                   text(100 * number_or(engine.find("agreement"), kGap), " %"),
                   text(nested(json.at("float").at("latency_ms"), name, "median"), ""),
                   text(nested(json.at("compressed").at("latency_ms"), name, "median"), ""),
                   text(nested(engine, "speedup", "ratio"), "x"),
                   engine.at("passed").as_bool() ? "passed" : "failed"});
  }
  std::string result = pruned + table.render();
  for (const Json& reason : json.at("failures").items()) {
    result += fmt::format("failed: {}\n", reason.as_string());
  }
  return result;
}

}  // namespace espalier::recipe
