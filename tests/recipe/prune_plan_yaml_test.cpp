#include "espalier/recipe/prune_plan_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

prune::PrunePlan some_prune_plan() {
  return {.model_id = "0123456789012345",
          .criterion = "fpgm",
          .cuts = {{.group = "conv1: \"a\"", .initializer = "null", .removed = {0, 1, 2, 3, 7}},
                   {.group = "", .initializer = "w 2", .axis = 1, .removed = {5, 9, 10}}}};
}

std::string text_of(const std::string& cuts) {
  return "version: 1\nkind: prune_plan\ncuts:" + cuts + "\n";
}

std::string entry(const std::string& removed) {
  return text_of(" [{initializer: w, removed: " + removed + "}]");
}

TEST(PrunePlanYaml, ReadsBackTheSamePlanAndBytes) {
  const prune::PrunePlan plan = some_prune_plan();
  const std::string text = print_prune_plan(plan);
  EXPECT_THAT(text, testing::HasSubstr("\"0-3, 7\""));
  EXPECT_EQ(parse_prune_plan(text, "p.yaml"), plan);
  EXPECT_EQ(print_prune_plan(parse_prune_plan(text, "p.yaml")), text);
  EXPECT_EQ(parse_prune_plan(print_prune_plan({}), "p.yaml"), prune::PrunePlan{});
  const kit::TemporaryFolder folder;
  EXPECT_EQ(load_prune_plan(folder.write("plan.yaml", text)), plan);
}

TEST(PrunePlanYaml, ReadsWhatPeopleWrite) {
  const std::vector<std::int64_t> expected{0, 2, 3};
  EXPECT_EQ(parse_prune_plan(entry("[0, 2, 3]"), "p").cuts.at(0).removed, expected);
  EXPECT_EQ(parse_prune_plan(entry("\" 0 ,2 - 3 \""), "p").cuts.at(0).removed, expected);
  EXPECT_EQ(parse_prune_plan(entry("7"), "p").cuts.at(0).removed, std::vector<std::int64_t>{7});
  EXPECT_EQ(parse_prune_plan(entry("7"), "p").cuts.at(0).axis, 0);
}

struct Hostile {
  std::string name;
  std::string text;
  std::string message;
};

class PrunePlanYamlHostile : public testing::TestWithParam<Hostile> {};

TEST_P(PrunePlanYamlHostile, IsRefusedWithItsPlace) {
  const std::string text = kit::expect_user_error(
      [&] { (void)parse_prune_plan(GetParam().text, "plan.yaml"); }, GetParam().message);
  EXPECT_THAT(text, testing::HasSubstr("plan.yaml"));
}

INSTANTIATE_TEST_SUITE_P(
    All, PrunePlanYamlHostile,
    testing::Values(
        Hostile{"other_kind", "version: 1\nkind: quantization\ncuts: []\n",
                "this is no pruning plan: plan.yaml:2"},
        Hostile{"no_kind", "version: 1\ncuts: []\n", "kind"},
        Hostile{"later_version", "version: 2\nkind: prune_plan\ncuts: []\n", "version"},
        Hostile{"unknown_key", text_of(" [{initialiser: w, removed: 1}]"), "initializer"},
        Hostile{"text_as_cuts", text_of(" all"), "a list of maps"},
        Hostile{"nothing_removed", entry("[]"), "got no position, expected at least one"},
        Hostile{"descending", entry("[3, 2]"), "got 2 behind 3, expected positions that ascend"},
        Hostile{"twice", entry("\"1, 1\""), "got 1 behind 1"},
        Hostile{"backwards", entry("\"5-2\""), "positions that ascend"},
        Hostile{"negative", entry("[-1]"), "removed"},
        Hostile{"negative_range", entry("\"-1\""), "got '-1', expected positions and ranges"},
        Hostile{"words", entry("\"0-3, some\""), "got 'some'"},
        Hostile{"beyond_every_axis", entry("\"0-99999999\""), "got '0-99999999'"},
        Hostile{"same_position_twice",
                text_of(" [{initializer: w, removed: \"1-3\"}, {initializer: w, removed: 2}]"),
                "a position is listed twice in 'cuts': plan.yaml:3: got 2 along axis 0 of 'w'"}),
    [](const auto& test) { return test.param.name; });

TEST(PrunePlanYaml, AnAxisOfSeveralGroupsHasSeveralEntries) {
  const prune::PrunePlan plan = parse_prune_plan(
      text_of(" [{initializer: w, removed: 1}, {initializer: w, removed: 2}]"), "plan.yaml");
  ASSERT_EQ(plan.cuts.size(), 2U);
  EXPECT_EQ(parse_prune_plan(print_prune_plan(plan), "plan.yaml"), plan);
}

TEST(PrunePlanYaml, DoesNotUnfoldShortTextsWithoutEnd) {
  std::string cuts = " [";
  for (int index = 0; index < 40; ++index) {
    cuts += "{initializer: w" + std::to_string(index) + ", removed: \"0-1048575\"},";
  }
  kit::expect_user_error([&] { (void)parse_prune_plan(text_of(cuts + "]"), "p"); },
                         "too many removed positions");
}

}  // namespace
}  // namespace espalier::recipe
