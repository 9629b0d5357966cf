#include "espalier/recipe/yaml_difference.h"

#include <gmock/gmock.h>

namespace espalier::recipe {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> differences(const std::string& before, const std::string& after) {
  std::vector<std::string> texts;
  for (const YamlDifference& one :
       yaml_differences(parse_yaml(before, "a.yaml"), parse_yaml(after, "b.yaml"))) {
    texts.push_back(to_text(one));
  }
  return texts;
}

TEST(YamlDifference, NamesWhatChangedAndWhere) {
  EXPECT_THAT(
      differences("{a: 1, b: {c: [x, {d: 2}]}, gone: [1, 2]}",
                  "{a: 3, b: {c: [x, {d: 4, e: {f: 5}}]}}"),
      ElementsAre("a: 1 -> 3", "b.c.1.d: 2 -> 4", "b.c.1.e: {f: 5} (new)", "gone: [1, 2] (gone)"));
  EXPECT_THAT(differences("a: 1", "a: [1]"), ElementsAre("a: 1 -> [1]"));
  EXPECT_THAT(differences("a: [1, 2, 3]", "a: [1]"), ElementsAre("a.1: 2 (gone)", "a.2: 3 (gone)"));
  EXPECT_THAT(differences("a: ", "a: 1"), ElementsAre("a: nothing -> 1"));
}

TEST(YamlDifference, TheOrderOfKeysDoesNotMatter) {
  EXPECT_THAT(differences("{a: 1, b: {c: 2, d: 3}}", "{b: {d: 3, c: 2}, a: 1}"), ElementsAre());
}

}  // namespace
}  // namespace espalier::recipe
