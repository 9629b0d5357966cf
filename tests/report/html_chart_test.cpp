#include <limits>

#include <gmock/gmock.h>

#include "espalier/report/html_parts.h"
#include "espalier/report/json.h"
#include "tests/kit/expect_error.h"

namespace espalier::report {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// The data that report.js gets.
Json data_of(const std::string& html) {
  const std::string start = "<script type=\"application/json\">";
  const std::size_t first = html.find(start) + start.size();
  return parse_json(html.substr(first, html.find("</script>") - first), "chart");
}

TEST(RenderChart, HandsBarsToTheScript) {
  const BarChart chart{.title = "Latency",
                       .labels = {"a", "b"},
                       .series = {{.name = "float", .values = {1.5, kNan}},
                                  {.name = "range", .values = {2, 3}, .lows = {-1, 0}}},
                       .unit = "ms",
                       .note = "one thread",
                       .horizontal = true,
                       .reference = std::pair<double, std::string>{1, "bound"}};
  const std::string html = render_chart(chart);
  EXPECT_THAT(html, HasSubstr("<h3>Latency</h3>"));
  EXPECT_THAT(html, HasSubstr("one thread"));
  const Json data = data_of(html);
  EXPECT_EQ(data.at("kind").as_string(), "bars");
  EXPECT_TRUE(data.at("horizontal").as_bool());
  EXPECT_EQ(data.at("unit").as_string(), "ms");
  EXPECT_EQ(to_text(data.at("labels"), -1), R"(["a","b"])");
  EXPECT_EQ(to_text(data.at("series").items()[0].at("values"), -1), "[1.5,null]");
  EXPECT_EQ(to_text(data.at("series").items()[1].at("values"), -1), "[[-1.0,2.0],[0.0,3.0]]");
  EXPECT_EQ(data.at("reference").at("name").as_string(), "bound");
}

TEST(RenderChart, HandsLinesToTheScript) {
  const LineChart chart{
      .title = "Loss",
      .series = {{.name = "training", .x = {1, 2}, .y = {0.5, kNan}, .dashed = true}},
      .x_title = "epoch"};
  const Json data = data_of(render_chart(chart));
  EXPECT_EQ(data.at("kind").as_string(), "lines");
  EXPECT_EQ(data.at("xTitle").as_string(), "epoch");
  EXPECT_EQ(to_text(data.at("series").items()[0], -1),
            R"({"name":"training","dashed":true,"points":[{"x":1.0,"y":0.5},{"x":2.0,"y":null}]})");
}

TEST(RenderChart, LetsNoTextOutOfTheScript) {
  const std::string evil = "</script><script>alert(1)</script>";
  const std::string html = render_chart(BarChart{
      .title = evil, .labels = {evil}, .series = {{.name = evil, .values = {1}}}, .note = evil});
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
  EXPECT_EQ(data_of(html).at("labels").items()[0].as_string(), evil);
}

TEST(RenderChart, GivesManyBarsAWholeRow) {
  const auto chart = [](std::size_t count) {
    return render_chart(
        BarChart{.labels = std::vector<std::string>(count, "x"),
                 .series = {{.name = "a", .values = std::vector<double>(count, 1)}}});
  };
  EXPECT_THAT(chart(10), HasSubstr("<figure class=\"chart\">"));
  EXPECT_THAT(chart(11), HasSubstr("<figure class=\"chart wide\">"));
}

TEST(RenderChart, RefusesSeriesOfAnotherLength) {
  kit::expect_internal_error(
      [] {
        (void)render_chart(
            BarChart{.title = "T", .labels = {"a"}, .series = {{.name = "s", .values = {1, 2}}}});
      },
      "chart 'T': series 's' has 2 values for 1 labels");
  kit::expect_internal_error(
      [] {
        (void)render_chart(
            LineChart{.title = "T", .series = {{.name = "s", .x = {1}, .y = {1, 2}}}});
      },
      "chart 'T': series 's' has 1 x and 2 y values");
}

}  // namespace
}  // namespace espalier::report
