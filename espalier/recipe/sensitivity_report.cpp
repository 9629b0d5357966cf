#include "espalier/recipe/sensitivity_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "espalier/base/file.h"
#include "espalier/report/table.h"

namespace espalier::recipe {
namespace {

using report::DataTable;
using report::Json;
using report::LineChart;

constexpr std::size_t kCurvesAChart = 4;

bool is_top1(const SensitivityResult& result) {
  return result.store.header.metric == "top1";
}

std::string loss_title(const SensitivityResult& result) {
  return is_top1(result) ? "loss of top-1, points" : "divergence";
}

/// Points of one group, in the file's order.
struct GroupPoints {
  std::string group;
  std::vector<const SensitivityPoint*> points;
};

std::vector<GroupPoints> by_group(const SensitivityStore& store) {
  std::vector<GroupPoints> groups;
  for (const SensitivityPoint& point : store.points) {
    auto place = std::ranges::find(groups, point.group, &GroupPoints::group);
    if (place == groups.end()) place = groups.insert(place, {point.group, {}});
    place->points.push_back(&point);
  }
  for (GroupPoints& group : groups) {
    std::ranges::sort(group.points, {}, [](const auto* point) { return point->share(); });
  }
  return groups;
}

Json point_json(const SensitivityPoint& point) {
  return Json::object({{"ratio", point.ratio},
                       {"removed", point.removed},
                       {"metric", point.metric},
                       {"loss", point.loss},
                       {"low", point.low},
                       {"high", point.high},
                       {"divergence", point.divergence},
                       {"images", point.images},
                       {"stopped", point.stopped}});
}

std::int64_t num_stopped(const SensitivityStore& store) {
  return std::ranges::count_if(store.points, &SensitivityPoint::stopped);
}

/// A line from no loss at nothing removed through the group's points.
LineChart::Series curve(const GroupPoints& group, double SensitivityPoint::*value) {
  LineChart::Series series{.name = group.group, .x = {0}, .y = {0}};
  for (const SensitivityPoint* point : group.points) {
    series.x.push_back(100 * point->share());
    series.y.push_back(point->*value);
  }
  return series;
}

/// Charts of a few groups each, in the graph's order.
std::vector<LineChart> charts(const std::vector<GroupPoints>& groups, const LineChart& form,
                              double SensitivityPoint::*value) {
  std::vector<LineChart> result;
  for (std::size_t first = 0; first < groups.size(); first += kCurvesAChart) {
    const std::size_t last = std::min(first + kCurvesAChart, groups.size());
    LineChart chart = form;
    if (groups.size() > kCurvesAChart) {
      chart.title += fmt::format(", groups {} to {} of {}", first + 1, last, groups.size());
    }
    for (std::size_t index = first; index < last; ++index) {
      chart.series.push_back(curve(groups[index], value));
    }
    result.push_back(std::move(chart));
  }
  return result;
}

report::Section curves_section(const SensitivityResult& result) {
  const std::vector<GroupPoints> groups = by_group(result.store);
  report::Section section{.title = "Curves",
                          .summary = "The flatter a curve, the more its group can give away."};
  LineChart loss{.title = "Loss by share removed",
                 .x_title = "channels removed, %",
                 .y_title = loss_title(result)};
  if (num_stopped(result.store) > 0) {
    loss.note =
        "Points above the bound stopped early: their loss is that of the images seen until then.";
  }
  for (LineChart& chart : charts(groups, loss, &SensitivityPoint::loss)) {
    section.blocks.emplace_back(std::move(chart));
  }
  const LineChart divergence{.title = "Divergence of the outputs by share removed",
                             .x_title = "channels removed, %",
                             .y_title = "KL at temperature 4",
                             .note = "Of the softened outputs from the unpruned network's."};
  if (is_top1(result)) {
    for (LineChart& chart : charts(groups, divergence, &SensitivityPoint::divergence)) {
      section.blocks.emplace_back(std::move(chart));
    }
  }
  return section;
}

report::Section points_section(const SensitivityResult& result) {
  using Kind = DataTable::Kind;
  DataTable table{
      .columns = {{.title = "Group", .kind = Kind::Code},
                  {.title = "Channels", .kind = Kind::Number, .digits = 0},
                  {.title = "Removed", .kind = Kind::Number, .digits = 0},
                  {.title = "Ratio", .kind = Kind::Number},
                  {.title = is_top1(result) ? "Top-1" : "Divergence", .kind = Kind::Number},
                  {.title = "Loss", .kind = Kind::Bar, .hint = loss_title(result)},
                  {.title = "Low", .kind = Kind::Number, .hint = "95 % interval of the loss"},
                  {.title = "High", .kind = Kind::Number},
                  {.title = "KL", .kind = Kind::Number, .digits = 4},
                  {.title = "Images", .kind = Kind::Number, .digits = 0},
                  {.title = "State", .kind = Kind::Badge}}};
  for (const SensitivityPoint& point : result.store.points) {
    const DataTable::Cell state = point.stopped ? DataTable::Cell("stopped", report::Tone::Warning)
                                                : DataTable::Cell("complete", report::Tone::Good);
    table.rows.push_back({point.group, static_cast<double>(point.channels),
                          static_cast<double>(point.removed), point.ratio, point.metric, point.loss,
                          point.low, point.high, point.divergence,
                          static_cast<double>(point.images), state});
  }
  return {.title = "Points", .blocks = {table}};
}

report::Section untouched_section(const SensitivityResult& result) {
  DataTable table{.columns = {{.title = "Group", .kind = DataTable::Kind::Code},
                              {.title = "Why it cannot be cut"}}};
  for (const UntouchedGroup& group : result.untouched) {
    table.rows.push_back({group.group, group.reason});
  }
  return {.title = "Groups that keep all channels", .blocks = {table}};
}

std::vector<report::Card> cards(const SensitivityResult& result) {
  const SensitivityHeader& header = result.store.header;
  const auto points = static_cast<double>(result.store.points.size());
  std::vector<report::Card> list;
  if (is_top1(result)) {
    list.push_back({.title = "Top-1, unpruned",
                    .value = fmt::format("{:.2f} %", header.baseline),
                    .detail = fmt::format("{} images", header.images)});
  }
  list.push_back({.title = "Points",
                  .value = fmt::format("{:.0f}", points),
                  .detail = fmt::format("{} stopped early", num_stopped(result.store))});
  list.push_back({.title = "Groups",
                  .value = fmt::format("{}", by_group(result.store).size()),
                  .detail = fmt::format("{} cannot be cut", result.untouched.size())});
  return list;
}

}  // namespace

Json to_json(const SensitivityResult& result) {
  const SensitivityHeader& header = result.store.header;
  Json json = Json::object({{"model", header.model},
                            {"model_id", header.model_id},
                            {"data", header.data},
                            {"criterion", header.criterion},
                            {"metric", header.metric},
                            {"images", header.images},
                            {"seed", header.seed},
                            {"reestimated", header.reestimated},
                            {"baseline", header.baseline},
                            {"measured", result.measured},
                            {"stopped", num_stopped(result.store)},
                            {"seconds", result.seconds}});
  json["cost"] = result.cost > 0 ? Json(result.cost) : Json();
  json["groups"] = report::to_array(by_group(result.store), [](const GroupPoints& group) {
    Json entry = Json::object({{"name", group.group}, {"channels", group.points[0]->channels}});
    entry["points"] = report::to_array(
        group.points, [](const SensitivityPoint* point) { return point_json(*point); });
    return entry;
  });
  json["untouched"] = report::to_array(result.untouched, [](const UntouchedGroup& group) {
    return Json::object({{"name", group.group}, {"reason", group.reason}});
  });
  return json;
}

std::string to_text(const SensitivityResult& result) {
  std::set<double> ratios;
  for (const SensitivityPoint& point : result.store.points) ratios.insert(point.ratio);
  std::vector<report::TextTable::Column> columns{{.title = "group", .align = report::Align::Left},
                                                 {.title = "channels"}};
  for (const double ratio : ratios) columns.push_back({.title = fmt::format("{:g}", ratio)});
  report::TextTable table(columns);
  for (const GroupPoints& group : by_group(result.store)) {
    std::vector<std::string> row{group.group, fmt::to_string(group.points[0]->channels)};
    for (const double ratio : ratios) {
      const SensitivityPoint* point = result.store.find(group.group, ratio);
      row.push_back(point == nullptr ? "-"
                                     : fmt::format("{}{:.2f}", point->stopped ? ">" : "",
                                                   point->stopped ? point->low : point->loss));
    }
    table.add_row(row);
  }
  const std::string meaning = is_top1(result) ? fmt::format("loss of top-1 in points, of {:.2f} %",
                                                            result.store.header.baseline)
                                              : std::string("divergence from the unpruned outputs");
  return fmt::format("{}, by share of channels removed; >: stopped, at least\n{}", meaning,
                     table.render());
}

report::Page to_page(const SensitivityResult& result, const std::string& command) {
  const SensitivityHeader& header = result.store.header;
  report::Page page{.title = "Sensitivities of " + header.model,
                    .subtitle = fmt::format("{}; channels go by {}", header.data, header.criterion),
                    .cards = cards(result)};
  page.sections.push_back(curves_section(result));
  page.sections.push_back(points_section(result));
  if (!result.untouched.empty()) page.sections.push_back(untouched_section(result));
  report::Facts facts{
      {{"model id", header.model_id},
       {"seed", fmt::to_string(header.seed)},
       {"BatchNormalization re-estimated on", fmt::format("{} images", header.reestimated)},
       {"seconds of the last run", fmt::format("{:.1f}", result.seconds)}}};
  page.sections.push_back(
      {.title = "How it was measured", .blocks = {facts, report::Code{command}}});
  return page;
}

void write_sensitivity_report(const SensitivityResult& result, const std::string& command,
                              const std::filesystem::path& file) {
  std::filesystem::path path = file;
  base::write_file_atomic(path.replace_extension(".html"),
                          report::render_html(to_page(result, command)));
  Json json = to_json(result);
  json["command"] = command;
  base::write_file_atomic(path.replace_extension(".json"), report::to_text(json) + "\n");
}

}  // namespace espalier::recipe
