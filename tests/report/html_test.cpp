#include "espalier/report/html.h"

#include <gmock/gmock.h>

#include "espalier/report/page_assets.h"

namespace espalier::report {
namespace {

using testing::HasSubstr;
using testing::Not;

std::size_t count(const std::string& text, std::string_view word) {
  std::size_t found = 0;
  for (std::size_t place = text.find(word); place != std::string::npos;
       place = text.find(word, place + 1)) {
    ++found;
  }
  return found;
}

/// The page without the embedded library, style and script.
std::string own_part(std::string html) {
  for (const std::string& part : {chart_library(), page_style(), page_script()}) {
    const std::size_t place = html.find(part);
    EXPECT_NE(place, std::string::npos);
    html.erase(place, part.size());
  }
  return html;
}

Page page_with(const std::string& text) {
  return {
      .title = text,
      .subtitle = text,
      .verdict = Verdict{.passed = false, .text = text, .reasons = {text}},
      .cards = {{.title = text, .value = text, .detail = text, .tone = Tone::Bad}},
      .sections = {{.title = text,
                    .blocks = {Cards{{{.title = text, .value = text}}},
                               BarChart{.title = text, .labels = {text}, .series = {{text, {1}}}},
                               LineChart{.title = text, .series = {{text, {1}, {2}}}},
                               DataTable{.title = text,
                                         .columns = {{.title = text, .hint = text}},
                                         .rows = {{text}},
                                         .note = text},
                               Facts{{{text, text}}}, Text{text}, Code{text},
                               Notice{.tone = Tone::Good, .text = text}},
                    .summary = text}},
      .footer = text};
}

TEST(RenderHtml, EscapesTextEverywhere) {
  const std::string evil = "<img src=x onerror=\"alert('1')\"></script>&";
  const std::string html = own_part(render_html(page_with(evil)));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("onerror=\"")));
  EXPECT_GE(
      count(html, "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&lt;/script&gt;&amp;"),
      20U);
  EXPECT_EQ(count(html, "<script"), count(html, "</script>"));
}

TEST(RenderHtml, NeedsNothingFromElsewhere) {
  const std::string html = own_part(render_html(page_with("text")));
  EXPECT_THAT(html, HasSubstr("default-src 'none'"));
  for (const char* word : {"http:", "https:", "//", "<link", "src=", "url(", "@import"}) {
    EXPECT_THAT(html, Not(HasSubstr(word)));
  }
  for (const std::string& part : {page_style(), page_script()}) {
    for (const char* word : {"http:", "https:", "url(", "@import", "fetch(", "XMLHttpRequest"}) {
      EXPECT_THAT(part, Not(HasSubstr(word)));
    }
  }
}

TEST(RenderHtml, HoldsItsLibrary) {
  EXPECT_THAT(chart_library(), HasSubstr("Chart.js v3"));
  EXPECT_THAT(chart_library(), HasSubstr("MIT License")) << "the notice must stay with the code";
  for (const std::string& part : {chart_library(), page_script()}) {
    EXPECT_THAT(part, Not(HasSubstr("</script"))) << "it would end the element";
  }
  EXPECT_THAT(page_style(), Not(HasSubstr("</style")));
  EXPECT_GT(chart_library().size(), 150'000U);
}

TEST(RenderHtml, ShowsTheVerdict) {
  Page page{.title = "t", .verdict = Verdict{.passed = true, .text = "verified"}};
  EXPECT_THAT(own_part(render_html(page)), HasSubstr("<b>Passed</b><span>verified</span>"));
  page.verdict->passed = false;
  page.verdict->reasons = {"top-1 drop 0.71"};
  const std::string html = own_part(render_html(page));
  EXPECT_THAT(html, HasSubstr("<b>Failed</b>"));
  EXPECT_THAT(html, HasSubstr("What failed"));
  EXPECT_THAT(html, HasSubstr("<li>top-1 drop 0.71</li>"));
  page.verdict.reset();
  EXPECT_THAT(own_part(render_html(page)), Not(HasSubstr("role=\"status\"")));
}

TEST(RenderHtml, PutsNeighbouringChartsIntoOneRow) {
  const BarChart chart{.title = "c"};
  const Page page{.title = "t",
                  .sections = {{.title = "s", .blocks = {chart, chart, Text{"x"}, chart}}}};
  const std::string html = own_part(render_html(page));
  EXPECT_EQ(count(html, "<div class=\"charts\">"), 2U);
  EXPECT_EQ(count(html, "<figure"), 3U);
  EXPECT_EQ(count(html, "<div"), count(html, "</div>"));
}

TEST(RenderHtml, ClosesSectionsOnRequest) {
  const Page page{.title = "t", .sections = {{.title = "a"}, {.title = "b", .collapsed = true}}};
  const std::string html = own_part(render_html(page));
  EXPECT_THAT(html, HasSubstr("id=\"section-1\" open>"));
  EXPECT_THAT(html, HasSubstr("id=\"section-2\">"));
  EXPECT_THAT(html, HasSubstr("<a href=\"#section-2\">b</a>"));
}

TEST(RenderHtml, SpreadsCardsOverEvenRows) {
  const auto columns = [](std::size_t cards) {
    const std::string html =
        own_part(render_html({.title = "t", .cards = std::vector<Card>(cards)}));
    const std::size_t place = html.find("--columns:");
    return html.substr(place + 10, html.find('"', place) - place - 10);
  };
  EXPECT_EQ(columns(1), "4");
  EXPECT_EQ(columns(6), "6");
  EXPECT_EQ(columns(8), "4");
  EXPECT_EQ(columns(9), "5");
}

}  // namespace
}  // namespace espalier::report
