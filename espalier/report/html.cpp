#include "espalier/report/html.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

#include "espalier/report/html_parts.h"
#include "espalier/report/page_assets.h"

namespace espalier::report {
namespace {

/// A tick or a cross in a circle.
std::string render_icon(bool passed) {
  return fmt::format(
      "<svg viewBox=\"0 0 24 24\" fill=\"none\" aria-hidden=\"true\">"
      "<circle cx=\"12\" cy=\"12\" r=\"11\" fill=\"currentColor\" opacity=\".16\"/>"
      "<path d=\"{}\" stroke=\"currentColor\" stroke-width=\"2.2\" stroke-linecap=\"round\" "
      "stroke-linejoin=\"round\"/></svg>",
      passed ? "M7 12.5l3.4 3.4L17 9" : "M8 8l8 8M16 8l-8 8");
}

std::string render_cards(const std::vector<Card>& cards) {
  if (cards.empty()) return {};
  // Rows of equal length: all in one row, or halves.
  constexpr std::size_t kShortestRow = 4;
  constexpr std::size_t kLongestRow = 6;
  const std::size_t rows = (cards.size() + kLongestRow - 1) / kLongestRow;
  std::string html = fmt::format("<div class=\"cards\" style=\"--columns:{}\">\n",
                                 std::max((cards.size() + rows - 1) / rows, kShortestRow));
  for (const Card& card : cards) {
    html += fmt::format(
        "<div class=\"card {}\"><div class=\"name\">{}</div><div class=\"value\">{}</div>"
        "<div class=\"detail\">{}</div></div>\n",
        tone_class(card.tone), escape_html(card.title), escape_html(card.value),
        escape_html(card.detail));
  }
  return html + "</div>\n";
}

/// Writes one kind of block after the other.
struct BlockWriter {
  std::string operator()(const Cards& block) const { return render_cards(block.cards); }
  std::string operator()(const BarChart& block) const { return render_chart(block); }
  std::string operator()(const LineChart& block) const { return render_chart(block); }
  std::string operator()(const DataTable& block) const { return render_table(block); }
  std::string operator()(const Facts& block) const {
    std::string html = "<dl class=\"facts\">\n";
    for (const auto& [name, value] : block.facts) {
      html +=
          fmt::format("<div><dt>{}</dt><dd>{}</dd></div>\n", escape_html(name), escape_html(value));
    }
    return html + "</dl>\n";
  }
  std::string operator()(const Text& block) const {
    return fmt::format("<p>{}</p>\n", escape_html(block.text));
  }
  std::string operator()(const Code& block) const {
    return fmt::format("<pre>{}</pre>\n", escape_html(block.text));
  }
  std::string operator()(const Notice& block) const {
    return fmt::format("<div class=\"notice {}\">{}</div>\n", tone_class(block.tone),
                       escape_html(block.text));
  }
};

bool is_chart(const Block& block) {
  return std::holds_alternative<BarChart>(block) || std::holds_alternative<LineChart>(block);
}

std::string render_blocks(const std::vector<Block>& blocks) {
  std::string html;
  bool in_row = false;
  for (const Block& block : blocks) {
    if (is_chart(block) != in_row) html += in_row ? "</div>\n" : "<div class=\"charts\">\n";
    in_row = is_chart(block);
    html += std::visit(BlockWriter{}, block);
  }
  return html + (in_row ? "</div>\n" : "");
}

std::string render_section(const Section& section, std::size_t number) {
  std::string html =
      fmt::format("<details class=\"section\" id=\"section-{}\"{}><summary><h2>{}</h2></summary>\n",
                  number, section.collapsed ? "" : " open", escape_html(section.title));
  html += "<div class=\"body\">\n";
  if (!section.summary.empty()) {
    html += fmt::format("<p class=\"lead\">{}</p>\n", escape_html(section.summary));
  }
  return html + render_blocks(section.blocks) + "</div></details>\n";
}

std::string render_verdict(const Verdict& verdict) {
  return fmt::format(
      "<div class=\"verdict {}\" role=\"status\">{}<div><b>{}</b><span>{}</span></div></div>\n",
      verdict.passed ? "good" : "bad", render_icon(verdict.passed),
      verdict.passed ? "Passed" : "Failed", escape_html(verdict.text));
}

std::string render_reasons(const Verdict& verdict) {
  if (verdict.reasons.empty()) return {};
  std::string html =
      fmt::format("<div class=\"notice reasons {}\"><b>{}</b><ul>", verdict.passed ? "" : "bad",
                  verdict.passed ? "Notes" : "What failed");
  for (const std::string& reason : verdict.reasons) {
    html += fmt::format("<li>{}</li>", escape_html(reason));
  }
  return html + "</ul></div>\n";
}

std::string render_bar(const Page& page) {
  std::string html = "<div class=\"top\"><div class=\"top-in\"><nav aria-label=\"Sections\">";
  for (std::size_t i = 0; i < page.sections.size(); ++i) {
    html +=
        fmt::format("<a href=\"#section-{}\">{}</a>", i + 1, escape_html(page.sections[i].title));
  }
  return html +
         "</nav><button type=\"button\" class=\"theme\" title=\"Light or dark\">◐ auto</button>"
         "</div></div>\n";
}

}  // namespace

std::string render_html(const Page& page) {
  std::string html = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
  html += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
  // Nothing may be fetched, whatever a text would make of it.
  html +=
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n";
  html += fmt::format("<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n",
                      escape_html(page.title), page_style());
  html += render_bar(page);
  html += fmt::format("<main>\n<header class=\"hero\"><div><h1>{}</h1>", escape_html(page.title));
  if (!page.subtitle.empty()) html += fmt::format("<p>{}</p>", escape_html(page.subtitle));
  html += "</div>\n";
  if (page.verdict) html += render_verdict(*page.verdict);
  html += "</header>\n";
  if (page.verdict) html += render_reasons(*page.verdict);
  html += render_cards(page.cards);
  for (std::size_t i = 0; i < page.sections.size(); ++i) {
    html += render_section(page.sections[i], i + 1);
  }
  html += "</main>\n";
  if (!page.footer.empty()) html += fmt::format("<footer>{}</footer>\n", escape_html(page.footer));
  html += fmt::format("<script>\n{}\n</script>\n<script>\n{}</script>\n</body>\n</html>\n",
                      chart_library(), page_script());
  return html;
}

}  // namespace espalier::report
