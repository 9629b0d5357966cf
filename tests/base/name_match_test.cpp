#include "espalier/base/name_match.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace espalier::base {
namespace {

struct GlobCase {
  const char* pattern;
  const char* text;
  bool matches;
};

TEST(MatchesGlob, KnowsStarAndQuestionMark) {
  const GlobCase cases[] = {
      {"", "", true},          {"", "a", false},           {"*", "", true},
      {"*", "anything", true}, {"a*", "abc", true},        {"a*", "bac", false},
      {"*c", "abc", true},     {"*c", "abcd", false},      {"a*c", "ac", true},
      {"a*c", "abcbc", true},  {"a?c", "abc", true},       {"a?c", "ac", false},
      {"?", "", false},        {"head/*", "head/1", true}, {"head/*", "head", false},
      {"**a**", "bab", true},  {"*ab*ab*", "abxab", true}, {"*ab*ab*", "abx", false},
      {"a.b", "axb", false},   {"[a]", "a", false},        {"[a]", "[a]", true},
      {"a**", "a", true},
  };
  for (const GlobCase& item : cases) {
    EXPECT_EQ(matches_glob(item.pattern, item.text), item.matches)
        << item.pattern << " on " << item.text;
  }
}

TEST(MatchesGlob, StaysFastOnHostilePatterns) {
  const std::string text(2000, 'a');
  std::string pattern;
  for (int count = 0; count < 500; ++count) pattern += "a*";
  EXPECT_TRUE(matches_glob(pattern, text));
  EXPECT_FALSE(matches_glob(pattern + "b", text));
}

TEST(NearestName, FindsTheClosestWord) {
  const std::vector<std::string> names{"epochs", "optimizer", "schedule", "seed"};
  EXPECT_EQ(nearest_name("epoch", names), "epochs");
  EXPECT_EQ(nearest_name("optimiser", names), "optimizer");
  EXPECT_EQ(nearest_name("shcedule", names), "schedule");
  EXPECT_EQ(nearest_name("seed", names), "seed");
  EXPECT_EQ(nearest_name("completely", names), "");
  EXPECT_EQ(nearest_name("x", {}), "");
}

TEST(NearestName, LongWordsMayDifferByAThird) {
  const std::vector<std::string> names{"abcdefghijkl"};
  EXPECT_EQ(nearest_name("abcdefghXXXX", names), "abcdefghijkl");
  EXPECT_EQ(nearest_name("abcdefgXXXXX", names), "");
}

TEST(SuggestName, SuggestsOrListsWhatIsKnown) {
  const std::vector<std::string> names{"kl", "mse"};
  EXPECT_EQ(suggest_name("msee", names), "did you mean 'mse'");
  EXPECT_EQ(suggest_name("percentile", names), "known: kl, mse");
  std::vector<std::string> layers;
  for (int index = 0; index < 100; ++index) layers.push_back("layer" + std::to_string(index));
  const std::string long_list = suggest_name("percentile", layers);
  EXPECT_TRUE(long_list.ends_with("layer22, layer23 and 76 more")) << long_list;
}

}  // namespace
}  // namespace espalier::base
