#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/report/html_parts.h"

namespace espalier::report {
namespace {

using Kind = DataTable::Kind;

bool is_numeric(Kind kind) {
  return kind == Kind::Number || kind == Kind::Bar;
}

std::string_view cell_class(Kind kind) {
  switch (kind) {
    case Kind::Text:
      return "text";
    case Kind::Code:
      return "code";
    case Kind::Number:
      return "number";
    case Kind::Bar:
      return "number bar";
    case Kind::Badge:
      return "short";
  }
  return "";
}

/// The largest number of a column, for its bars.
double column_maximum(const DataTable& table, std::size_t column) {
  double largest = 0;
  for (const auto& row : table.rows) {
    const auto* value = std::get_if<double>(&row[column].content);
    if (value != nullptr && std::isfinite(*value)) largest = std::max(largest, *value);
  }
  return largest;
}

std::string toned(std::string_view text, Tone tone) {
  if (tone == Tone::Neutral) return std::string(text);
  return fmt::format("<span class=\"{}-text\">{}</span>", tone_class(tone), text);
}

std::string render_cell(const DataTable::Cell& cell, const DataTable::Column& column,
                        double maximum) {
  const std::string_view name = cell_class(column.kind);
  if (const auto* value = std::get_if<double>(&cell.content);
      value != nullptr && std::isfinite(*value)) {
    const bool bar = column.kind == Kind::Bar && maximum > 0;
    const double share = bar ? std::clamp(100 * *value / maximum, 0.0, 100.0) : 0;
    return fmt::format("<td class=\"{}\" data-value=\"{}\"{}>{}</td>", name, *value,
                       bar ? fmt::format(" style=\"--share:{:.1f}%\"", share) : "",
                       toned(format_cell(*value, column.digits), cell.tone));
  }
  const auto* text = std::get_if<std::string>(&cell.content);
  if (text == nullptr || text->empty()) {
    return fmt::format("<td class=\"{}\"><span class=\"missing\">–</span></td>", name);
  }
  if (column.kind == Kind::Badge) {
    return fmt::format("<td class=\"{}\"><span class=\"badge {}\">{}</span></td>", name,
                       tone_class(cell.tone), escape_html(*text));
  }
  // Short texts stay on one line; sentences may wrap.
  constexpr std::size_t kShort = 40;
  const bool wraps = column.kind == Kind::Text && text->size() > kShort;
  return fmt::format("<td class=\"{}\">{}</td>",
                     column.kind == Kind::Text && !wraps ? "short" : name,
                     toned(escape_html(*text), cell.tone));
}

std::string render_head(const DataTable& table) {
  std::string html = "<thead><tr>";
  for (const DataTable::Column& column : table.columns) {
    html += fmt::format(
        "<th scope=\"col\"{}{}><button type=\"button\">{}</button></th>",
        is_numeric(column.kind) ? " class=\"number\"" : "",
        column.hint.empty() ? "" : fmt::format(" title=\"{}\"", escape_html(column.hint)),
        escape_html(column.title));
  }
  return html + "</tr></thead>\n";
}

std::string render_title(const DataTable& table) {
  constexpr std::size_t kFiltered = 8;
  const bool filtered = table.rows.size() > kFiltered;
  if (table.title.empty() && !filtered) return {};
  std::string html = "<div class=\"table-head\">";
  if (!table.title.empty()) html += fmt::format("<h3>{}</h3>", escape_html(table.title));
  if (filtered) {
    html += "<input type=\"search\" placeholder=\"Filter rows\" aria-label=\"Filter rows\">";
    html += fmt::format("<span class=\"count\">{} rows</span>", table.rows.size());
  }
  return html + "</div>\n";
}

}  // namespace

std::string format_cell(double value, int digits) {
  if (value == 0) value = 0;  // no "-0"
  const double smallest = 0.5 * std::pow(10.0, -digits);
  if (value != 0 && std::abs(value) < smallest) return fmt::format("{:.2e}", value);
  if (std::abs(value) >= 1e15) return fmt::format("{:.3e}", value);
  const std::string plain = fmt::format("{:.{}f}", value, digits);
  const std::size_t first = plain.starts_with('-') ? 1 : 0;
  const std::size_t end = std::min(plain.find('.'), plain.size());
  std::string grouped;
  for (std::size_t place = 0; place < plain.size(); ++place) {
    const bool boundary = place > first && place < end && (end - place) % 3 == 0;
    if (boundary && end - first > 4) grouped += "\u202F";
    grouped += plain[place];
  }
  return grouped;
}

std::string render_table(const DataTable& table) {
  std::vector<double> maxima;
  for (const auto& row : table.rows) {
    base::invariant(row.size() == table.columns.size(), "table '{}': {} cells for {} columns",
                    table.title, row.size(), table.columns.size());
  }
  for (std::size_t column = 0; column < table.columns.size(); ++column) {
    maxima.push_back(column_maximum(table, column));
  }
  std::string html = "<div class=\"table\">" + render_title(table);
  html += "<div class=\"scroll\"><table>" + render_head(table) + "<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (std::size_t column = 0; column < row.size(); ++column) {
      html += render_cell(row[column], table.columns[column], maxima[column]);
    }
    html += "</tr>\n";
  }
  html += "</tbody></table></div></div>\n";
  if (!table.note.empty())
    html += fmt::format("<p class=\"note\">{}</p>\n", escape_html(table.note));
  return html;
}

}  // namespace espalier::report
