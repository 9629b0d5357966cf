#include "espalier/recipe/csv_line.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

TEST(CsvLine, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(csv_field("layer1.0.conv1"), "layer1.0.conv1");
  EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
  EXPECT_EQ(csv_field("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(csv_field(""), "\"\"");
  EXPECT_EQ(csv_field("# x"), "\"# x\"") << "would read as a header line";
  EXPECT_EQ(csv_field("a\nb\\"), "a\\nb\\\\") << "one line";
}

TEST(CsvLine, ReadsWhatItWrote) {
  const std::vector<std::string> cells{"a,b", "", " x ", "\"", "two\nlines\r", "c:\\new", "#"};
  std::string line;
  for (const std::string& cell : cells) line += (line.empty() ? "" : ",") + csv_field(cell);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(split_csv(line, "here"), cells);
  EXPECT_EQ(split_csv("a,,b,", "here"), (std::vector<std::string>{"a", "", "b", ""}));
}

TEST(CsvLine, NamesDamagedLines) {
  kit::expect_user_error([] { (void)split_csv("a,\"b", "'s.csv':7"); },
                         "cannot read the line: 's.csv':7: got 'a,\"b', expected a closing quote");
  kit::expect_user_error([] { (void)split_csv("\"a\"b", "x"); }, "a comma behind a quote");
  kit::expect_user_error([] { (void)split_csv("a\\q", "x"); }, "expected \\\\, \\n or \\r");
  kit::expect_user_error([] { (void)unescape_line("a\\", "x"); }, "expected \\\\, \\n or \\r");
}

}  // namespace
}  // namespace espalier::recipe
