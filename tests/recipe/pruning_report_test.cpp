#include "espalier/recipe/pruning_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace espalier::recipe {
namespace {

using report::Json;

Json some_facts() {
  return report::parse_json(R"({"masked": false, "before": {"macs": 200, "parameters": 40,
    "bytes": 160, "filters": 16}, "after": {"macs": 90, "parameters": 25, "bytes": 100,
    "filters": 11}, "shares": {"macs": 0.45, "parameters": 0.625, "bytes": 0.625,
    "filters": 0.6875}, "budget": {"kind": "macs", "wanted": 0.4, "remaining": 0.45,
    "reached": false}, "groups": [{"name": "conv1", "channels": 16, "removed": 5, "reason": ""},
    {"name": "fc", "channels": 4, "removed": 0, "reason": "output 'y': <counted>"}],
    "accuracy": {"before": {"top1": 91.5}, "cut": {"top1": 40}, "after": {"top1": 88.25}},
    "engines": [{"name": "openvino", "version": "1", "passed": true, "difference": 1e-7,
    "before_ms": 2.5, "after_ms": 1.25, "speed": 2.0}, {"name": "other", "version": "",
    "passed": false, "failure": "no such engine"}], "reconstruction": {"layers": [{"name": "conv2",
    "error_before": 0.5, "error_after": 0.125}], "skipped": []}, "check": {"passed": true,
    "difference64": 2e-16, "difference32": 1e-7, "wrong_difference": 0.5}, "notes": ["a note"],
    "failures": ["budget not reached: too much"]})",
                            "facts");
}

TEST(PruningReport, TellsTheTerminalEverything) {
  const std::string text = pruning_text(some_facts());
  for (const char* part : {"45.0 %", "68.8 %",
                           "top-1 91.50 % before, 40.00 % right after the cut, "
                           "88.25 % at the end",
                           "2.500", "1.250", "2.00x", "1.0e-07",
                           "cut and masked model agree: they differ by 2.0e-16 in float64 and "
                           "1.0e-07 in float32, a wrong cut by 5.0e-01",
                           "note: a note", "FAILED: budget not reached: too much"}) {
    EXPECT_THAT(text, testing::HasSubstr(part));
  }
}

TEST(PruningReport, MakesAPage) {
  report::Page page{.title = "t"};
  add_pruning(page, some_facts());
  ASSERT_TRUE(page.verdict);
  EXPECT_FALSE(page.verdict->passed);
  const std::string html = report::render_html(page);
  for (const char* part : {"Channel groups", "conv1", "&lt;counted&gt;", "45.0 %",
                           "Reconstructed weights", "budget not reached: too much"}) {
    EXPECT_THAT(html, testing::HasSubstr(part));
  }
}

}  // namespace
}  // namespace espalier::recipe
