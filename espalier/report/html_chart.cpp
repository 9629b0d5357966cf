#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/report/html_parts.h"
#include "espalier/report/json.h"

namespace espalier::report {
namespace {

/// JSON inside a script element: no "<", so that no text can end the element.
std::string script_text(const Json& value) {
  std::string result;
  for (const char letter : to_text(value, -1)) {
    if (letter == '<') {
      result += "\\u003c";
    } else {
      result += letter;
    }
  }
  return result;
}

std::string render_figure(const std::string& title, const std::string& note, bool wide,
                          const Json& spec) {
  std::string html = fmt::format("<figure class=\"chart{}\">", wide ? " wide" : "");
  if (!title.empty()) html += fmt::format("<h3>{}</h3>", escape_html(title));
  html += fmt::format(
      "<div class=\"canvas\"><canvas role=\"img\" aria-label=\"{}\"></canvas></div>"
      "<script type=\"application/json\">{}</script>",
      escape_html(title), script_text(spec));
  if (!note.empty()) html += fmt::format("<p class=\"note\">{}</p>", escape_html(note));
  return html + "</figure>\n";
}

Json bar_values(const BarChart::Series& series) {
  Json values = Json::array();
  for (std::size_t i = 0; i < series.values.size(); ++i) {
    const bool interval = !series.lows.empty() && std::isfinite(series.values[i]);
    values.push_back(interval ? Json(std::vector<double>{series.lows[i], series.values[i]})
                              : Json(series.values[i]));
  }
  return values;
}

}  // namespace

std::string render_chart(const BarChart& chart) {
  constexpr std::size_t kNarrowLabels = 10;
  Json spec;
  spec["kind"] = "bars";
  spec["labels"] = chart.labels;
  spec["unit"] = chart.unit;
  spec["horizontal"] = chart.horizontal;
  spec["stacked"] = chart.stacked;
  spec["logarithmic"] = chart.logarithmic;
  Json& all = spec["series"] = Json::array();
  for (const BarChart::Series& series : chart.series) {
    base::invariant(series.values.size() == chart.labels.size() &&
                        (series.lows.empty() || series.lows.size() == chart.labels.size()),
                    "chart '{}': series '{}' has {} values for {} labels", chart.title, series.name,
                    series.values.size(), chart.labels.size());
    Json& entry = all.push_back(Json::object());
    entry["name"] = series.name;
    entry["values"] = bar_values(series);
  }
  if (chart.reference) {
    spec["reference"]["value"] = chart.reference->first;
    spec["reference"]["name"] = chart.reference->second;
  }
  return render_figure(chart.title, chart.note, chart.labels.size() > kNarrowLabels, spec);
}

std::string render_chart(const LineChart& chart) {
  Json spec;
  spec["kind"] = "lines";
  spec["xTitle"] = chart.x_title;
  spec["yTitle"] = chart.y_title;
  spec["logarithmic"] = chart.logarithmic;
  Json& all = spec["series"] = Json::array();
  for (const LineChart::Series& series : chart.series) {
    base::invariant(series.x.size() == series.y.size(),
                    "chart '{}': series '{}' has {} x and {} y values", chart.title, series.name,
                    series.x.size(), series.y.size());
    Json& entry = all.push_back(Json::object());
    entry["name"] = series.name;
    entry["dashed"] = series.dashed;
    Json& points = entry["points"] = Json::array();
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      Json& point = points.push_back(Json::object());
      point["x"] = series.x[i];
      point["y"] = series.y[i];
    }
  }
  return render_figure(chart.title, chart.note, false, spec);
}

}  // namespace espalier::report
