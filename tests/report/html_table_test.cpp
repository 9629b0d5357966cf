#include <limits>

#include <gmock/gmock.h>

#include "espalier/report/html_parts.h"
#include "tests/kit/expect_error.h"

namespace espalier::report {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = DataTable::Kind;

DataTable small_table() {
  return {.title = "Layers <all>",
          .columns = {{.title = "Layer", .kind = Kind::Code, .hint = "node's \"name\""},
                      {.title = "MACs", .kind = Kind::Bar, .digits = 1},
                      {.title = "Verdict", .kind = Kind::Badge},
                      {.title = "Note"}},
          .rows = {{"conv<1>", 4.0, DataTable::Cell("ok", Tone::Good), "x"},
                   {"fc", 1.0, DataTable::Cell("slow", Tone::Bad), DataTable::Cell()}},
          .note = "a & b"};
}

TEST(RenderTable, WritesCells) {
  const std::string html = render_table(small_table());
  EXPECT_THAT(html, HasSubstr("<h3>Layers &lt;all&gt;</h3>"));
  EXPECT_THAT(html, HasSubstr("title=\"node&#39;s &quot;name&quot;\""));
  EXPECT_THAT(html, HasSubstr("<td class=\"code\">conv&lt;1&gt;</td>"));
  EXPECT_THAT(html, HasSubstr("data-value=\"4\" style=\"--share:100.0%\">4.0</td>"));
  EXPECT_THAT(html, HasSubstr("--share:25.0%\">1.0</td>"));
  EXPECT_THAT(html, HasSubstr("<span class=\"badge bad\">slow</span>"));
  EXPECT_THAT(html, HasSubstr("<span class=\"missing\">\u2013</span>"));
  EXPECT_THAT(html, HasSubstr("a &amp; b"));
  EXPECT_THAT(html, Not(HasSubstr("type=\"search\""))) << "two rows need no filter";
}

TEST(RenderTable, FiltersLongTables) {
  DataTable table = small_table();
  table.title = "";
  table.rows.resize(9, table.rows[0]);
  EXPECT_THAT(render_table(table), HasSubstr("type=\"search\""));
  EXPECT_THAT(render_table(table), HasSubstr("9 rows"));
}

TEST(RenderTable, ShowsNoNumberAsADash) {
  DataTable table = small_table();
  table.rows[0][1] = std::numeric_limits<double>::quiet_NaN();
  table.rows[1][1] = std::numeric_limits<double>::infinity();
  const std::string html = render_table(table);
  EXPECT_THAT(html, Not(HasSubstr("nan")));
  EXPECT_THAT(html, Not(HasSubstr("inf")));
}

TEST(RenderTable, RefusesRowsOfAnotherLength) {
  DataTable table = small_table();
  table.rows[1].pop_back();
  kit::expect_internal_error([&] { (void)render_table(table); },
                             "table 'Layers <all>': 3 cells for 4 columns");
}

TEST(FormatCell, GroupsAndRounds) {
  EXPECT_EQ(format_cell(1234567.891, 2), "1\u202F234\u202F567.89");
  EXPECT_EQ(format_cell(1234, 0), "1234") << "four digits stay together";
  EXPECT_EQ(format_cell(-12345, 0), "-12\u202F345");
  EXPECT_EQ(format_cell(0.000012, 2), "1.20e-05");
  EXPECT_EQ(format_cell(0, 2), "0.00");
  EXPECT_EQ(format_cell(-0.0, 1), "0.0");
  EXPECT_EQ(format_cell(1e300, 2), "1.000e+300");
}

}  // namespace
}  // namespace espalier::report
