#include "espalier/data/image_list.h"

#include <filesystem>

#include <gmock/gmock.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/test_data.h"

namespace espalier::data {
namespace {

using kit::expect_user_error;

ImageList parse(std::string text, const ImageListOptions& options = {}) {
  return ImageList::parse(std::move(text), "val.txt", options);
}

TEST(ImageList, ReadsPathsAndLabels) {
  const ImageList list = parse("a/b.jpg 3\nc.png 0\n");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.path(0), "a/b.jpg");
  EXPECT_EQ(list.label(0), 3);
  EXPECT_EQ(list.path(1), "c.png");
  EXPECT_EQ(list.place(1), "val.txt:2");
  EXPECT_EQ(list.largest_label(), 3);
}

TEST(ImageList, AcceptsWhatEditorsLeave) {
  const ImageList list = parse(
      "\xEF\xBB\xBF"
      "a.jpg 1\r\n\r\n  \nb.jpg 2 \n\n   c.jpg   3");
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list.path(0), "a.jpg");
  EXPECT_EQ(list.label(0), 1);
  EXPECT_EQ(list.path(1), "b.jpg");
  EXPECT_EQ(list.place(1), "val.txt:4") << "blank lines count";
  EXPECT_EQ(list.path(2), "c.jpg");
}

TEST(ImageList, TakesAnyNamesThatFilesCanHave) {
  const ImageList list = parse("\u732b/\u00e4 b.jpg 1\n./x/../y.jpg 2\n\xff\xfe.jpg 3\n...jpg 4\n");
  EXPECT_EQ(list.path(0), "\u732b/\u00e4 b.jpg") << "the last blank separates";
  EXPECT_EQ(list.path(1), "./x/../y.jpg");
  EXPECT_EQ(list.path(2), "\xff\xfe.jpg");
  EXPECT_EQ(list.path(3), "...jpg");
}

TEST(ImageList, TakesOtherDelimiters) {
  EXPECT_EQ(parse("a b.jpg\t5\n", {.delimiter = "\t"}).path(0), "a b.jpg");
  EXPECT_EQ(parse("a.jpg || 5\n", {.delimiter = "||"}).label(0), 5);
  expect_user_error([] { (void)parse("a.jpg 1", {.delimiter = ""}); },
                    "the delimiter of the image list 'val.txt' is empty");
}

struct BadLine {
  const char* line;
  const char* message;
};

class EveryBadLine : public testing::TestWithParam<BadLine> {};

TEST_P(EveryBadLine, IsNamed) {
  const std::string text = "good.jpg 1\n\n" + std::string(GetParam().line) + "\nlast.jpg 2\n";
  expect_user_error([&] { (void)parse(text, {.num_classes = 10}); },
                    std::string("bad line in the image list: val.txt:3: ") + GetParam().message);
}

TEST_P(EveryBadLine, IsLeftOutOnRequest) {
  const std::string text = "good.jpg 1\n\n" + std::string(GetParam().line) + "\nlast.jpg 2\n";
  const ImageList list = parse(text, {.num_classes = 10, .policy = BadSamples::Skip});
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.path(1), "last.jpg");
  EXPECT_EQ(list.place(1), "val.txt:4");
  EXPECT_THAT(list.problems(), testing::ElementsAre(testing::HasSubstr("val.txt:3")));
}

INSTANTIATE_TEST_SUITE_P(
    ImageList, EveryBadLine,
    testing::Values(
        BadLine{"a.jpg", "got 'a.jpg', expected 'path label' (no delimiter ' ' in the line"},
        BadLine{"a.jpg x", "got label 'x', expected a whole number"},
        BadLine{"a.jpg 1.5", "got label '1.5', expected a whole number"},
        BadLine{"a.jpg -1", "got label '-1', expected a class in 0..9"},
        BadLine{"a.jpg 10", "got label '10', expected a class in 0..9"},
        BadLine{"a.jpg 99999999999999999999", "got label '99999999999999999999', expected a class"},
        BadLine{"/etc/passwd 1", "got path '/etc/passwd', expected a relative path inside"},
        BadLine{"../x.jpg 1", "got path '../x.jpg', expected a relative path inside"},
        BadLine{"a/../../x.jpg 1", "got path 'a/../../x.jpg', expected a relative path inside"},
        BadLine{"a\x01.jpg", "got 'a\\x01.jpg', expected"}));

TEST(ImageList, RefusesHugeLabelsWithoutKnowingTheClasses) {
  EXPECT_EQ(parse("a.jpg 2147483646").label(0), 2147483646);
  expect_user_error([] { (void)parse("a.jpg 2147483647"); },
                    "val.txt:1: got label '2147483647', expected a class in 0..2147483646");
}

TEST(ImageList, RefusesBinaryFilesAndEndlessPaths) {
  expect_user_error([] { (void)parse(std::string("a\0b 1", 5)); },
                    "got path 'a\\x00b', expected text (the list may be a binary file)");
  expect_user_error([] { (void)parse(std::string(5000, 'x') + " 1"); },
                    "got a path of 5000 bytes, expected at most 4096 bytes");
  expect_user_error([] { (void)parse(",1", {.delimiter = ","}); }, "got an empty path");
}

TEST(ImageList, RefusesAListWithoutImages) {
  expect_user_error([] { (void)parse(""); },
                    "the image list 'val.txt' names no image: got an empty file, expected lines of "
                    "the form 'path label'");
  expect_user_error([] { (void)parse("x\ny\n", {.policy = BadSamples::Skip}); }, "got 2 bad lines");
}

TEST(ImageList, RemovesEntries) {
  ImageList list = parse("a 0\nb 1\nc 2\nd 3\n");
  list.remove({0, 2});
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.path(0), "b");
  EXPECT_EQ(list.place(1), "val.txt:4");
}

TEST(ImageList, SurvivesTheFuzzersCorpus) {
  const std::filesystem::path folder = kit::fuzz_corpus("image_list");
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    for (const BadSamples policy : {BadSamples::Error, BadSamples::Skip}) {
      try {
        const ImageList list =
            parse(base::read_file(entry.path()), {.num_classes = 1000, .policy = policy});
        for (std::size_t i = 0; i < list.size(); ++i) EXPECT_FALSE(list.path(i).empty());
      } catch (const base::UserError&) {
        // A clear refusal is what bad input shall get.
      }
    }
    ++files;
  }
  EXPECT_GT(files, 10);
}

}  // namespace
}  // namespace espalier::data
