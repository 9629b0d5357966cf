#include "espalier/data/excerpt.h"

#include <gtest/gtest.h>

namespace espalier::data {
namespace {

TEST(Excerpt, KeepsReadableText) {
  EXPECT_EQ(excerpt("images/a b.jpg"), "'images/a b.jpg'");
  EXPECT_EQ(excerpt("\u00e4\u4e2d\U0001F600"), "'\u00e4\u4e2d\U0001F600'");
  EXPECT_EQ(excerpt(""), "''");
}

TEST(Excerpt, ShowsWhatATerminalWouldNot) {
  EXPECT_EQ(excerpt(std::string_view("a\0b\x1b[2J\x7f", 8)), "'a\\x00b\\x1b[2J\\x7f'");
  EXPECT_EQ(excerpt("\xff\xc3(\xc0\xaf"), "'\\xff\\xc3(\\xc0\\xaf'");
  EXPECT_EQ(excerpt("\xed\xa0\x80"), "'\\xed\\xa0\\x80'") << "a lone surrogate";
  EXPECT_EQ(excerpt("\xe4\xb8"), "'\\xe4\\xb8'") << "a sequence cut off";
}

TEST(Excerpt, CutsLongText) {
  const std::string cut = excerpt(std::string(5000, 'x'));
  EXPECT_EQ(cut.size(), 120U + 4);
  EXPECT_TRUE(cut.ends_with("...'"));
  EXPECT_EQ(excerpt(std::string(300, 'x'), 400), "'" + std::string(300, 'x') + "'");
}

}  // namespace
}  // namespace espalier::data
