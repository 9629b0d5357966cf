#include "espalier/base/check.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::base {
namespace {

TEST(Check, PassesSilentlyWhenTrue) {
  EXPECT_NO_THROW(check(true, "never {}", 1));
  EXPECT_NO_THROW(require_supported(true, "never {}", 1));
  EXPECT_NO_THROW(invariant(true, "never {}", 1));
}

TEST(Check, FormatsItsArgumentsIntoAUserError) {
  const std::string text =
      kit::expect_user_error([] { check(false, "bad '{}' at {}", "x", 3); }, "bad");
  EXPECT_EQ(text, "bad 'x' at 3");
}

TEST(Check, RequireSupportedThrowsUnsupported) {
  const std::string text =
      kit::expect_unsupported([] { require_supported(false, "no {}", "kernel"); }, "no");
  EXPECT_EQ(text, "no kernel");
}

TEST(Check, InvariantNamesThePlaceOfItsCall) {
  const int line = __LINE__ + 1;
  const std::string text = kit::expect_internal_error([] { invariant(false, "{} != 2", 1); }, "");
  EXPECT_NE(text.find("check_test.cpp:" + std::to_string(line)), std::string::npos) << text;
  EXPECT_NE(text.find("1 != 2"), std::string::npos) << text;
}

}  // namespace
}  // namespace espalier::base
