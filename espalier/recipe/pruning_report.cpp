#include "espalier/recipe/pruning_report.h"

#include <array>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "espalier/report/table.h"

namespace espalier::recipe {
namespace {

using report::DataTable;
using report::Json;
using report::Section;
using report::Tone;

constexpr double kGap = std::numeric_limits<double>::quiet_NaN();
constexpr std::array<std::string_view, 4> kCosts{"macs", "parameters", "bytes", "filters"};

double number_of(const Json& object, std::string_view key) {
  const Json* value = object.find(key);
  return value != nullptr && value->is_number() ? value->as_number() : kGap;
}

DataTable::Cell cell_of(const Json& object, std::string_view key) {
  const double number = number_of(object, key);
  return std::isfinite(number) ? DataTable::Cell(number) : DataTable::Cell();
}

double top1(const Json& facts, std::string_view when) {
  const Json* accuracy = facts.find("accuracy");
  const Json* metrics = accuracy == nullptr ? nullptr : accuracy->find(when);
  return metrics == nullptr ? kGap : number_of(*metrics, "top1");
}

/// "top-1 91.9 % before, 43.2 % after the cut, 90.1 % at the end"; empty without labels.
std::string accuracy_text(const Json& facts) {
  if (!std::isfinite(top1(facts, "before"))) return {};
  std::string text = fmt::format("top-1 {:.2f} % before, {:.2f} % right after the cut, ",
                                 top1(facts, "before"), top1(facts, "cut"));
  if (const double mended = top1(facts, "mended"); std::isfinite(mended)) {
    text += fmt::format("{:.2f} % before fine-tuning, ", mended);
  }
  return text + fmt::format("{:.2f} % at the end", top1(facts, "after"));
}

/// What the proof of the cut gave; empty when it was not asked for.
std::string check_text(const Json& facts) {
  const Json* check = facts.find("check");
  if (check == nullptr || check->is_null()) return {};
  const double wrong = number_of(*check, "wrong_difference");
  return fmt::format(
      "cut and masked model {}: they differ by {:.1e} in float64 and {:.1e} in float32{}",
      check->at("passed").as_bool() ? "agree" : "are NOT PROVEN EQUAL",
      check->at("difference64").as_number(), check->at("difference32").as_number(),
      std::isfinite(wrong) ? fmt::format(", a wrong cut by {:.1e}", wrong) : "");
}

Section cost_section(const Json& facts) {
  using Kind = DataTable::Kind;
  DataTable table{.columns = {{.title = "Cost"},
                              {.title = "Before", .kind = Kind::Number, .digits = 0},
                              {.title = "After", .kind = Kind::Number, .digits = 0},
                              {.title = "Share %", .kind = Kind::Bar}}};
  for (const std::string_view cost : kCosts) {
    table.rows.push_back({std::string(cost), facts.at("before").at(cost).as_number(),
                          facts.at("after").at(cost).as_number(),
                          100 * facts.at("shares").at(cost).as_number()});
  }
  Section section{.title = "Pruning", .blocks = {table}, .summary = accuracy_text(facts)};
  if (std::string check = check_text(facts); !check.empty()) {
    section.blocks.emplace_back(report::Notice{.tone = Tone::Neutral, .text = std::move(check)});
  }
  if (facts.at("masked").as_bool()) {
    section.blocks.emplace_back(report::Notice{
        .tone = Tone::Neutral,
        .text = "Channels are masked: the file keeps its sizes, and the costs are those of the cut "
                "that the plan would make."});
  }
  for (const Json& failure : facts.at("failures").items()) {
    section.blocks.emplace_back(report::Notice{.tone = Tone::Bad, .text = failure.as_string()});
  }
  for (const Json& note : facts.at("notes").items()) {
    section.blocks.emplace_back(report::Notice{.tone = Tone::Neutral, .text = note.as_string()});
  }
  return section;
}

Section groups_section(const Json& facts) {
  using Kind = DataTable::Kind;
  DataTable table{.columns = {{.title = "Group", .kind = Kind::Code},
                              {.title = "Channels", .kind = Kind::Number, .digits = 0},
                              {.title = "Removed", .kind = Kind::Number, .digits = 0},
                              {.title = "Removed %", .kind = Kind::Bar},
                              {.title = "Why none"}}};
  for (const Json& group : facts.at("groups").items()) {
    const double channels = group.at("channels").as_number();
    const double removed = group.at("removed").as_number();
    table.rows.push_back({group.at("name").as_string(), channels, removed,
                          channels > 0 ? 100 * removed / channels : 0,
                          group.at("reason").as_string()});
  }
  return {.title = "Channel groups", .blocks = {table}};
}

Section engines_section(const Json& facts) {
  using Kind = DataTable::Kind;
  DataTable table{.columns = {{.title = "Engine"},
                              {.title = "Version", .kind = Kind::Code},
                              {.title = "Verdict", .kind = Kind::Badge},
                              {.title = "Difference",
                               .kind = Kind::Number,
                               .digits = 8,
                               .hint = "of outputs from our executor's, relative to the largest"},
                              {.title = "Before ms", .kind = Kind::Number, .digits = 3},
                              {.title = "After ms", .kind = Kind::Number, .digits = 3},
                              {.title = "Speed", .kind = Kind::Number}}};
  for (const Json& row : facts.at("engines").items()) {
    const bool passed = row.at("passed").as_bool();
    table.rows.push_back(
        {row.at("name").as_string(), row.at("version").as_string(),
         DataTable::Cell(passed ? "passed" : "failed", passed ? Tone::Good : Tone::Bad),
         cell_of(row, "difference"), cell_of(row, "before_ms"), cell_of(row, "after_ms"),
         cell_of(row, "speed")});
  }
  return {.title = "The pruned file in the engines", .blocks = {table}};
}

std::optional<Section> reconstruction_section(const Json& facts) {
  const Json* reconstruction = facts.find("reconstruction");
  if (reconstruction == nullptr || reconstruction->at("layers").items().empty()) {
    return std::nullopt;
  }
  using Kind = DataTable::Kind;
  DataTable table{.columns = {{.title = "Layer", .kind = Kind::Code},
                              {.title = "Error before %", .kind = Kind::Number},
                              {.title = "Error after %", .kind = Kind::Bar}}};
  for (const Json& layer : reconstruction->at("layers").items()) {
    table.rows.push_back({layer.at("name").as_string(), 100 * layer.at("error_before").as_number(),
                          100 * layer.at("error_after").as_number()});
  }
  return Section{.title = "Reconstructed weights",
                 .blocks = {table},
                 .summary =
                     "Distance of each layer's output from that of the unpruned model, "
                     "relative to its size.",
                 .collapsed = true};
}

report::Card cost_card(const Json& facts) {
  const Json& budget = facts.at("budget");
  report::Card card{
      .title = "MACs that stay",
      .value = fmt::format("{:.1f} %", 100 * facts.at("shares").at("macs").as_number()),
      .detail = fmt::format("parameters {:.1f} %, filters {:.1f} %",
                            100 * facts.at("shares").at("parameters").as_number(),
                            100 * facts.at("shares").at("filters").as_number())};
  if (!budget.is_null()) {
    card.tone = budget.at("reached").as_bool() ? Tone::Good : Tone::Bad;
    const bool loss = budget.at("kind").as_string() == "loss";
    if (loss)
      card.detail +=
          fmt::format("; at most {} points by the curves", budget.at("wanted").as_number());
    if (!loss)
      card.detail +=
          fmt::format("; asked for at most {:.1f} % of the {}",
                      100 * budget.at("wanted").as_number(), budget.at("kind").as_string());
  }
  return card;
}

}  // namespace

void add_pruning(report::Page& page, const report::Json& facts) {
  const auto& failures = facts.at("failures").items();
  if (!page.verdict) page.verdict = report::Verdict{.text = "The model is pruned as asked for"};
  if (!failures.empty()) {
    page.verdict->passed = false;
    page.verdict->text = "The pruned model failed its checks";
    for (const Json& failure : failures) page.verdict->reasons.push_back(failure.as_string());
  }
  page.cards.push_back(cost_card(facts));
  page.sections.push_back(cost_section(facts));
  page.sections.push_back(groups_section(facts));
  if (!facts.at("engines").items().empty()) page.sections.push_back(engines_section(facts));
  if (auto section = reconstruction_section(facts)) page.sections.push_back(*section);
}

std::string pruning_text(const report::Json& facts) {
  using Align = report::Align;
  report::TextTable costs(
      {{.title = facts.at("masked").as_bool() ? "masked" : "pruned", .align = Align::Left},
       {.title = "before"},
       {.title = "after"},
       {.title = "share"}});
  for (const std::string_view cost : kCosts) {
    costs.add_row({std::string(cost), fmt::format("{}", facts.at("before").at(cost).as_integer()),
                   fmt::format("{}", facts.at("after").at(cost).as_integer()),
                   fmt::format("{:.1f} %", 100 * facts.at("shares").at(cost).as_number())});
  }
  std::string text = costs.render();
  if (const std::string accuracy = accuracy_text(facts); !accuracy.empty()) {
    text += accuracy + "\n";
  }
  if (const std::string check = check_text(facts); !check.empty()) text += check + "\n";
  if (!facts.at("engines").items().empty()) {
    report::TextTable engines({{.title = "engine", .align = Align::Left},
                               {.title = "before ms"},
                               {.title = "after ms"},
                               {.title = "speed"},
                               {.title = "difference"},
                               {.title = "verdict", .align = Align::Left}});
    const auto shown = [](const Json& row, std::string_view key, std::string_view format) {
      const double number = number_of(row, key);
      return std::isfinite(number) ? fmt::format(fmt::runtime(format), number) : std::string("-");
    };
    for (const Json& row : facts.at("engines").items()) {
      engines.add_row({row.at("name").as_string(), shown(row, "before_ms", "{:.3f}"),
                       shown(row, "after_ms", "{:.3f}"), shown(row, "speed", "{:.2f}x"),
                       shown(row, "difference", "{:.1e}"),
                       row.at("passed").as_bool() ? "passed" : "failed"});
    }
    text += engines.render();
  }
  for (const Json& note : facts.at("notes").items()) text += "note: " + note.as_string() + "\n";
  for (const Json& failure : facts.at("failures").items()) {
    text += "FAILED: " + failure.as_string() + "\n";
  }
  return text;
}

}  // namespace espalier::recipe
