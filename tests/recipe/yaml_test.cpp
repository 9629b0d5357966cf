#include "espalier/recipe/yaml.h"

#include <gtest/gtest.h>

#include "espalier/base/error.h"

namespace espalier::recipe {
namespace {

std::string message_of(const std::string& text) {
  try {
    static_cast<void>(parse_yaml(text, "a.yaml"));
  } catch (const base::UserError& problem) {
    return problem.what();
  }
  return "no error";
}

TEST(Yaml, KeepsOrderLinesAndQuotes) {
  const YamlValue value = parse_yaml("b: 1\na:\n  - x\n  - '2'\nc: ~\n", "a.yaml");
  ASSERT_EQ(value.entries.size(), 3U);
  EXPECT_EQ(value.entries[0].first, "b");
  const YamlValue& list = value.entries[1].second;
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_FALSE(list.items[0].quoted);
  EXPECT_TRUE(list.items[1].quoted);
  EXPECT_EQ(list.items[1].where(), "a.yaml:4");
  EXPECT_EQ(value.find("c")->kind, YamlValue::Kind::Null);
  EXPECT_EQ(value.find("missing"), nullptr);
}

TEST(Yaml, RefusesSyntaxErrorsWithLine) {
  EXPECT_NE(message_of("a: 1\nb: [1, 2\nc: 3\n").find("a.yaml:"), std::string::npos);
  EXPECT_NE(message_of("a: 1\na: 2\n").find("a.yaml:2: got the key 'a' twice"), std::string::npos);
  EXPECT_NE(message_of("[1, 2]: x\n").find("a key that is not text"), std::string::npos);
}

TEST(Yaml, RefusesDeepNesting) {
  const std::string flow(1000, '[');
  EXPECT_NE(message_of(flow).find("deeper nesting"), std::string::npos);
  std::string block;
  for (int level = 0; level < 200; ++level) block += "- ";
  EXPECT_NE(message_of(block + "x").find("deeper nesting"), std::string::npos);
  std::string maps;
  for (int level = 0; level < 100; ++level) maps += std::string(level, ' ') + "a:\n";
  EXPECT_NE(message_of(maps).find("deeper nesting"), std::string::npos);
}

TEST(Yaml, AnAliasInsideItselfIsNamed) {
  for (const char* text : {"a: &a [*a]\n", "a: &a {b: {c: *a}}\n"}) {
    const std::string message = message_of(text);
    EXPECT_NE(message.find("an alias of a value that holds it"), std::string::npos) << message;
  }
}

TEST(Yaml, RefusesAliasBombs) {
  std::string text = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    const char before = static_cast<char>(name - 1);
    text += std::string(1, name) + ": &" + name + " [";
    for (int copy = 0; copy < 10; ++copy) text += std::string(copy > 0 ? ", " : "") + '*' + before;
    text += "]\n";
  }
  EXPECT_NE(message_of(text).find("more values"), std::string::npos);
}

TEST(Yaml, PrintsWhatItReadsBack) {
  const std::string text =
      "name: resnet\nscale: 0.5\nempty: {}\nnone: null\nquoted: \"a: b #c\"\n"
      "list: [1, 2, 3]\nstages:\n  - train:\n      epochs: 3\n    more: x\n  - [1, 2]\n";
  const YamlValue value = parse_yaml(text, "a.yaml");
  const std::string printed = print_yaml(value);
  EXPECT_EQ(print_yaml(parse_yaml(printed, "b.yaml")), printed);
  EXPECT_NE(printed.find("quoted: \"a: b #c\""), std::string::npos);
  EXPECT_NE(printed.find("      epochs: 3"), std::string::npos);
}

TEST(Yaml, OverridesByPath) {
  YamlValue value = parse_yaml("stages:\n  - train: {epochs: 1}\n", "a.yaml");
  override_yaml(value, "stages.0.train.epochs=3");
  override_yaml(value, "stages.0.train.schedule.lr=0.1");
  const YamlValue& train = *value.find("stages")->items[0].find("train");
  EXPECT_EQ(train.find("epochs")->scalar, "3");
  EXPECT_EQ(train.find("schedule")->find("lr")->scalar, "0.1");
  override_yaml(value, "stages.0.new.key=1");
  EXPECT_EQ(value.find("stages")->items[0].find("new")->where(), "--set stages.0.new.key=1");
  EXPECT_THROW(override_yaml(value, "stages.7.train=1"), base::UserError);
  EXPECT_THROW(override_yaml(value, "no equals"), base::UserError);
  EXPECT_THROW(override_yaml(value, "stages.0.train.epochs.x=1"), base::UserError);
}

}  // namespace
}  // namespace espalier::recipe
