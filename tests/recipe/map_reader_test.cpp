#include "espalier/recipe/map_reader.h"

#include <gtest/gtest.h>

#include "espalier/base/error.h"

namespace espalier::recipe {
namespace {

template <typename Action>
std::string message_of(Action action) {
  try {
    action();
  } catch (const base::UserError& problem) {
    return problem.what();
  }
  return "no error";
}

TEST(MapReader, ReadsTypedValuesAndFallbacks) {
  const YamlValue document =
      parse_yaml("epochs: 3\nlr: 1e-3\nflag: True\nname: x\nlist: [1, 2.5]\n", "a.yaml");
  MapReader reader(document, "the recipe");
  EXPECT_EQ(reader.integer("epochs", 1, {.low = 1, .high = 10}), 3);
  EXPECT_DOUBLE_EQ(reader.number("lr", 1, {.low = 0, .high = 1}), 1e-3);
  EXPECT_TRUE(reader.flag("flag", false));
  EXPECT_EQ(reader.text("name", ""), "x");
  EXPECT_EQ(reader.numbers("list", {}), (std::vector<double>{1, 2.5}));
  EXPECT_EQ(reader.integer("absent", 7, {.low = 0, .high = 9}), 7);
  reader.finish();
}

TEST(MapReader, NamesUnknownKeysWithLineAndNearest) {
  const YamlValue document = parse_yaml("epochs: 3\nepoch: 4\n", "a.yaml");
  MapReader reader(document, "stage 'train'");
  static_cast<void>(reader.integer("epochs", 1, {.low = 1, .high = 10}));
  EXPECT_EQ(message_of([&] { reader.finish(); }),
            "unknown key 'epoch' in stage 'train': a.yaml:2 (did you mean 'epochs')");
}

TEST(MapReader, RefusesWrongTypesAndRanges) {
  const YamlValue document = parse_yaml("a: x\nb: 11\nc: '3'\nd: [x]\ne: nan\n", "a.yaml");
  MapReader reader(document, "m");
  EXPECT_EQ(message_of([&] { (void)reader.integer("a", 0, {.low = 0, .high = 10}); }),
            "bad value of 'a': a.yaml:1: got 'x', expected an integer from 0 to 10");
  EXPECT_NE(message_of([&] { (void)reader.integer("b", 0, {.low = 0, .high = 10}); }).find("'11'"),
            std::string::npos);
  EXPECT_NE(message_of([&] { (void)reader.integer("c", 0, {.low = 0, .high = 10}); }).find("'3'"),
            std::string::npos);
  EXPECT_NE(message_of([&] { (void)reader.numbers("d", {}); }).find("a number"), std::string::npos);
  EXPECT_NE(
      message_of([&] { (void)reader.number("e", 0, {.low = 0, .high = 1}); }).find("a number"),
      std::string::npos);
  EXPECT_NE(message_of([&] { (void)reader.flag("a", false); }).find("true or false"),
            std::string::npos);
  EXPECT_EQ(message_of([&] { (void)reader.require("zz"); }), "m lacks the key 'zz': a.yaml:1");
}

TEST(MapReader, RefusesAListWhereAMapIsWanted) {
  const YamlValue document = parse_yaml("[1]", "a.yaml");
  EXPECT_NE(message_of([&] { MapReader(document, "the recipe"); }).find("got a list"),
            std::string::npos);
}

}  // namespace
}  // namespace espalier::recipe
