#include <gtest/gtest.h>

#include "espalier/report/html_parts.h"

namespace espalier::report {
namespace {

TEST(EscapeHtml, LeavesNoMarkup) {
  EXPECT_EQ(escape_html("<b a=\"1\" c='2'>&amp;</b>"),
            "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;&lt;/b&gt;");
  EXPECT_EQ(escape_html("plain \u00e4\u4e2d\U0001F600 text\n\ttoo"),
            "plain \u00e4\u4e2d\U0001F600 text\n\ttoo");
}

TEST(EscapeHtml, ReplacesWhatIsNoText) {
  EXPECT_EQ(escape_html(std::string_view("a\0b\x1b\x7f", 5)), "a\uFFFDb\uFFFD\uFFFD");
  EXPECT_EQ(escape_html("\xff"
                        "a\xc3"),
            "\uFFFDa\uFFFD");
  EXPECT_EQ(escape_html("\xc0\xbc"
                        "script"),
            "\uFFFD\uFFFDscript")
      << "an overlong '<'";
  EXPECT_EQ(escape_html("\xed\xa0\x80"), "\uFFFD\uFFFD\uFFFD") << "a surrogate";
}

TEST(ToneClass, NamesEveryTone) {
  EXPECT_EQ(tone_class(Tone::Neutral), "");
  EXPECT_EQ(tone_class(Tone::Good), "good");
  EXPECT_EQ(tone_class(Tone::Warning), "warning");
  EXPECT_EQ(tone_class(Tone::Bad), "bad");
}

}  // namespace
}  // namespace espalier::report
