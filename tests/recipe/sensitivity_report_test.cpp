#include "espalier/recipe/sensitivity_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

using testing::HasSubstr;
using testing::Not;

SensitivityResult result(const std::string& metric, int groups = 2) {
  SensitivityResult content{
      .store = {.header = {.model = "net",
                           .model_id = "abc",
                           .data = "200 images",
                           .criterion = "l1",
                           .metric = metric,
                           .images = 200,
                           .baseline = 90}},
      .untouched = {{.group = "fc", .reason = "output 'y' of the graph: it fixes <all>"}},
      .measured = 3};
  for (int group = 0; group < groups; ++group) {
    for (const double ratio : {0.25, 0.5}) {
      content.store.add({.group = "conv" + std::to_string(group),
                         .ratio = ratio,
                         .channels = 8,
                         .removed = static_cast<std::int64_t>(8 * ratio),
                         .metric = 80,
                         .loss = 20 * ratio,
                         .low = 9,
                         .high = 12,
                         .divergence = 0.125,
                         .images = ratio == 0.5 ? 100 : 200,
                         .stopped = ratio == 0.5});
    }
  }
  return content;
}

TEST(SensitivityReport, TextMarksStoppedPointsAsLeastLosses) {
  const std::string text = to_text(result("top1"));
  EXPECT_THAT(text, HasSubstr("loss of top-1 in points, of 90.00 %"));
  EXPECT_THAT(text, HasSubstr("conv1         8  5.00  >9.00"));
  EXPECT_THAT(to_text(result("divergence")), HasSubstr("divergence from the unpruned outputs"));
}

TEST(SensitivityReport, JsonHoldsEveryPoint) {
  const report::Json json = to_json(result("top1"));
  EXPECT_EQ(json.at("baseline").as_number(), 90);
  EXPECT_EQ(json.at("stopped").as_integer(), 2);
  ASSERT_EQ(json.at("groups").items().size(), 2U);
  const report::Json& group = json.at("groups").items()[1];
  EXPECT_EQ(group.at("name").as_string(), "conv1");
  EXPECT_EQ(group.at("points").items().at(1).at("loss").as_number(), 10);
  EXPECT_TRUE(group.at("points").items().at(1).at("stopped").as_bool());
  EXPECT_EQ(json.at("untouched").items().at(0).at("name").as_string(), "fc");
}

TEST(SensitivityReport, PageShowsCurvesOfFewGroupsEach) {
  const report::Page page = to_page(result("top1", 11), "espalier sensitivity net.onnx");
  const auto& blocks = page.sections.at(0).blocks;
  ASSERT_EQ(blocks.size(), 4U) << "losses and divergences, 8 and 3 groups each";
  const auto& first = std::get<report::LineChart>(blocks[0]);
  EXPECT_EQ(first.series.size(), 8U);
  EXPECT_EQ(first.title, "Loss by share removed, groups 1 to 8 of 11");
  EXPECT_EQ(first.series[0].x, (std::vector<double>{0, 25, 50}));
  EXPECT_EQ(first.series[0].y, (std::vector<double>{0, 5, 10}));
  const std::string html = report::render_html(page);
  EXPECT_THAT(html, HasSubstr("espalier sensitivity net.onnx"));
  EXPECT_THAT(html, Not(HasSubstr("<all>"))) << "escaped";
  EXPECT_EQ(to_page(result("divergence"), "").sections.at(0).blocks.size(), 1U);
}

TEST(SensitivityReport, LiesBesideTheFile) {
  const kit::TemporaryFolder folder;
  write_sensitivity_report(result("top1"), "espalier", folder.file("a/s.csv"));
  EXPECT_EQ(folder.files(), (std::vector<std::string>{"a/s.html", "a/s.json"}));
  EXPECT_THAT(folder.read("a/s.json"), HasSubstr("\"command\": \"espalier\""));
}

}  // namespace
}  // namespace espalier::recipe
