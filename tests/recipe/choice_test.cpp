#include "espalier/recipe/choice.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

TEST(Choice, IsTheOnlyEntryOfAMap) {
  const YamlValue map = parse_yaml("cosine: {lr: 1}", "c.yaml");
  const Choice choice = single_entry(map, "schedule");
  EXPECT_EQ(choice.name, "cosine");
  EXPECT_NE(choice.value.find("lr"), nullptr);
  kit::expect_user_error(
      [] { (void)single_entry(parse_yaml("a: 1\nb: 2", "c.yaml"), "schedule"); },
      "bad value of 'schedule': c.yaml:1: got a map, expected a map with one entry");
  kit::expect_user_error(
      [&] {
        refuse_choice("schedule", choice, {"cosinus", "step"});
      },
      "unknown schedule 'cosine': c.yaml:1 (did you mean 'cosinus')");
}

}  // namespace
}  // namespace espalier::recipe
