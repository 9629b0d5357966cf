#include "espalier/report/json.h"

#include <limits>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::report {
namespace {

using kit::expect_user_error;

TEST(Json, KeepsTheOrderOfMembers) {
  Json value;
  value["z"] = 1;
  value["a"] = Json::array();
  value["a"].push_back("x");
  value["a"].push_back(Json());
  value["z"] = 2;
  EXPECT_EQ(to_text(value, -1), R"({"z":2,"a":["x",null]})");
  EXPECT_EQ(to_text(value), "{\n  \"z\": 2,\n  \"a\": [\n    \"x\",\n    null\n  ]\n}");
}

TEST(Json, EscapesText) {
  EXPECT_EQ(to_text(Json("a\"b\\c\n\t\x01/<\u00e4\U0001F600"), -1),
            "\"a\\\"b\\\\c\\n\\t\\u0001/<\u00e4\U0001F600\"");
  EXPECT_EQ(to_text(Json("a\xff"
                         "b\xc3"),
                    -1),
            "\"a\uFFFDb\uFFFD\"");
  EXPECT_EQ(to_text(Json(std::string("a\0b", 3)), -1), "\"a\\u0000b\"");
}

TEST(Json, WritesNumbersThatReadBackEqual) {
  for (const double value : {0.1, 1.0 / 3.0, 1e300, 5e-324, -123456.789, 100.0}) {
    EXPECT_EQ(parse_json(to_text(Json(value)), "x").as_number(), value);
  }
  EXPECT_EQ(to_text(Json(std::numeric_limits<std::uint64_t>::max())), "18446744073709551615");
  EXPECT_EQ(to_text(Json(std::numeric_limits<std::int64_t>::min())), "-9223372036854775808");
  EXPECT_EQ(to_text(Json(std::numeric_limits<double>::quiet_NaN())), "null");
  EXPECT_EQ(to_text(Json(std::numeric_limits<double>::infinity())), "null");
}

TEST(Json, MakesArraysOfVectors) {
  EXPECT_EQ(to_text(Json(std::vector<double>{1.5, 2}), -1), "[1.5,2.0]");
  EXPECT_EQ(to_text(Json(std::vector<std::string>{"a"}), -1), "[\"a\"]");
  EXPECT_EQ(to_text(Json::array(), -1), "[]");
  EXPECT_EQ(to_text(Json::object(), -1), "{}");
}

TEST(Json, ReadsWhatItWrites) {
  const std::string text = R"({"b":true,"n":null,"i":-3,"d":0.5,"s":"\u00e4","a":[1,[2,{}]]})";
  const Json value = parse_json(text, "x.json");
  EXPECT_TRUE(value.at("b").as_bool());
  EXPECT_TRUE(value.at("n").is_null());
  EXPECT_EQ(value.at("i").as_integer(), -3);
  EXPECT_EQ(value.at("i").as_number(), -3);
  EXPECT_EQ(value.at("d").as_number(), 0.5);
  EXPECT_EQ(value.at("s").as_string(), "\u00e4");
  EXPECT_EQ(value.at("a").items().size(), 2U);
  EXPECT_EQ(value.members().size(), 6U);
  EXPECT_EQ(value.find("none"), nullptr);
  EXPECT_EQ(parse_json(to_text(value), "x.json"), value);
}

TEST(Json, NamesTheKindThatWasFound) {
  const Json value = parse_json(R"({"a":1.5,"s":"x"})", "x");
  expect_user_error([&] { (void)value.at("b"); }, "the JSON member 'b' is missing: got an object");
  expect_user_error([&] { (void)value.at("s").as_number(); },
                    "JSON value of another kind: got text, expected a number");
  expect_user_error([&] { (void)value.at("a").as_integer(); },
                    "got a number with a fraction or above 2^63, expected a whole number");
  expect_user_error([&] { (void)value.as_bool(); }, "got an object, expected true or false");
  expect_user_error([&] { (void)value.items(); }, "expected a list");
  expect_user_error([&] { (void)value.at("a").members(); }, "got a number, expected an object");
  expect_user_error([&] { (void)Json().as_string(); }, "got null, expected text");
  expect_user_error([] { (void)Json(std::uint64_t{1} << 63).as_integer(); }, "above 2^63");
}

TEST(Json, RefusesBadText) {
  expect_user_error([] { (void)parse_json("{\"a\": }", "x.json"); },
                    "cannot read 'x.json': got parse error at line 1, column 7");
  expect_user_error([] { (void)parse_json("", "x.json"); }, "cannot read 'x.json'");
  expect_user_error([] { (void)parse_json("[1] 2", "x.json"); }, "cannot read 'x.json'");
  expect_user_error([] { (void)parse_json("[1e999]", "x.json"); }, "cannot read 'x.json'");
  expect_user_error([] { (void)parse_json("[\"\xff\"]", "x.json"); }, "cannot read 'x.json'");
}

TEST(Json, LimitsNesting) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(200), "x").is_array());
  expect_user_error([&] { (void)parse_json(nested(201), "x.json"); },
                    "cannot read 'x.json': got more than 200 levels of nesting");
  expect_user_error([&] { (void)parse_json(std::string(1'000'000, '['), "x.json"); },
                    "levels of nesting");
}

TEST(Json, MakesObjectsAndArraysAtOnce) {
  const Json row = Json::object({{"name", "conv"}, {"macs", 3}});
  EXPECT_EQ(to_text(row, -1), "{\"name\":\"conv\",\"macs\":3}");
  EXPECT_EQ(Json::object({}), Json::object());
  const Json list = to_array(std::vector<int>{1, 2}, [](int value) { return Json(value * 2); });
  EXPECT_EQ(to_text(list, -1), "[2,4]");
  EXPECT_EQ(to_array(std::vector<int>{}, [](int value) { return Json(value); }), Json::array());
}

TEST(Json, GuardsItsOwnUse) {
  Json text("x");
  kit::expect_internal_error([&] { text.push_back(1); }, "push_back on text");
  kit::expect_internal_error([&] { text["a"] = 1; }, "member 'a' of text");
}

}  // namespace
}  // namespace espalier::report
