#include "espalier/data/parameter_reader.h"

#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

class ParameterReaderTest : public testing::Test {
 protected:
  Parameters parameters_{{"flag", true},
                         {"count", std::int64_t{12}},
                         {"real", 0.5},
                         {"word", std::string("cubic")},
                         {"scale", std::string("1.0/255.0")},
                         {"list", std::vector<double>{1, 2.5}}};
  ParameterReader reader_{"Thing", parameters_, "data.yaml:7"};
};

TEST_F(ParameterReaderTest, TakesTypedValues) {
  EXPECT_TRUE(reader_.boolean("flag", false));
  EXPECT_EQ(reader_.integer("count", 0, {.lowest = 0, .highest = 12}), 12);
  EXPECT_EQ(reader_.number("real", 0), 0.5);
  EXPECT_EQ(reader_.number("count", 0), 12);
  EXPECT_EQ(reader_.number("scale", 0), 1.0 / 255.0);
  EXPECT_EQ(reader_.text("word", ""), "cubic");
  EXPECT_THAT(reader_.numbers("list", {}), testing::ElementsAre(1, 2.5));
  EXPECT_THAT(reader_.numbers("real", {}), testing::ElementsAre(0.5));
  EXPECT_EQ(reader_.range("list", {0, 0}), std::pair(1.0, 2.5));
  reader_.finish();
}

TEST_F(ParameterReaderTest, GivesDefaults) {
  EXPECT_TRUE(reader_.boolean("none", true));
  EXPECT_EQ(reader_.integer("none", 3, {.lowest = 0, .highest = 1}), 3);
  EXPECT_EQ(reader_.number("none", 2), 2);
  EXPECT_EQ(reader_.text("none", "t"), "t");
  EXPECT_EQ(reader_.size("none"), std::nullopt);
}

TEST_F(ParameterReaderTest, RefusesWrongTypes) {
  expect_user_error(
      [&] { (void)reader_.boolean("word", false); },
      "bad value of 'word': data.yaml:7 (Thing): got 'cubic', expected true or false");
  expect_user_error([&] { (void)reader_.integer("real", 0, {.lowest = 0, .highest = 9}); },
                    "got 0.5, expected a whole number in 0..9");
  expect_user_error([&] { (void)reader_.integer("flag", 0, {.lowest = 0, .highest = 9}); },
                    "got true, expected a whole number");
  expect_user_error([&] { (void)reader_.number("list", 0); },
                    "got [1, 2.5], expected a number, or a fraction such as '1.0/255.0'");
  expect_user_error([&] { (void)reader_.text("count", ""); }, "got 12, expected text");
  expect_user_error([&] { (void)reader_.numbers("word", {}); },
                    "got 'cubic', expected a list of numbers");
}

TEST_F(ParameterReaderTest, RefusesValuesOutOfRange) {
  expect_user_error(
      [&] { (void)reader_.integer("count", 0, {.lowest = 0, .highest = 11}); },
      "bad value of 'count': data.yaml:7 (Thing): got 12, expected a whole number in 0..11");
  expect_user_error([&] { (void)reader_.size("list"); },
                    "got [1, 2.5], expected a whole number or [width, height], each in 1..65535");
}

TEST_F(ParameterReaderTest, NamesTheNearestChoice) {
  const std::vector<std::string> choices{"bilinear", "bicubic"};
  expect_user_error([&] { (void)reader_.choice("word", "", choices); },
                    "got 'cubic', expected one of 'bilinear', 'bicubic' (did you mean 'bicubic')");
}

TEST_F(ParameterReaderTest, RefusesKeysThatNobodyAskedFor) {
  (void)reader_.boolean("flag", false);
  (void)reader_.integer("counts", 0, {.lowest = 0, .highest = 99});
  expect_user_error([&] { reader_.finish(); },
                    "unknown key 'count': data.yaml:7 (Thing) (did you mean 'counts')");
}

TEST_F(ParameterReaderTest, NamesAMissingKey) {
  expect_user_error([&] { (void)reader_.required_text("root"); },
                    "'root' is missing: data.yaml:7 (Thing)");
}

TEST(ParameterReader, ReadsSizes) {
  const Parameters parameters{{"one", std::int64_t{32}},
                              {"two", std::vector<double>{40, 30}},
                              {"zero", std::int64_t{0}},
                              {"three", std::vector<double>{1, 2, 3}}};
  ParameterReader reader("Thing", parameters, "");
  EXPECT_EQ(reader.size("one"), std::pair(32, 32));
  EXPECT_EQ(reader.size("two"), std::pair(40, 30));
  expect_user_error([&] { (void)reader.size("zero"); }, "bad value of 'zero': Thing: got 0");
  expect_user_error([&] { (void)reader.size("three"); }, "got [1, 2, 3]");
}

TEST(ParameterReader, ReadsFractionsAsPaddleWritesThem) {
  const Parameters parameters{{"a", std::string("1./255.")}, {"b", std::string(" 1 / 255 ")},
                              {"c", std::string("0.5")},     {"d", std::string("1/0")},
                              {"e", std::string("1/2/3")},   {"f", std::string("__import__('os')")},
                              {"g", std::string("inf")}};
  ParameterReader reader("Thing", parameters, "");
  EXPECT_EQ(reader.number("a", 0), 1.0 / 255.0);
  EXPECT_EQ(reader.number("b", 0), 1.0 / 255.0);
  EXPECT_EQ(reader.number("c", 0), 0.5);
  for (const char* key : {"d", "e", "f", "g"}) {
    expect_user_error([&] { (void)reader.number(key, 0); }, "expected a number, or a fraction");
  }
}

TEST(ParameterReader, ReadsRanges) {
  const Parameters parameters{{"good", std::vector<double>{0.1, 0.1}},
                              {"turned", std::vector<double>{2, 1}},
                              {"zero", std::vector<double>{0, 1}}};
  ParameterReader reader("Thing", parameters, "");
  EXPECT_EQ(reader.range("good", {1, 1}), std::pair(0.1, 0.1));
  for (const char* key : {"turned", "zero"}) {
    expect_user_error(
        [&] {
          (void)reader.range(key, {1, 1});
        },
        "expected two numbers [low, high] with 0 < low <= high");
  }
}

}  // namespace
}  // namespace espalier::data
