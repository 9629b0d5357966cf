#include "espalier/base/error.h"

#include <gtest/gtest.h>

namespace espalier::base {
namespace {

struct TextCase {
  const char* description;
  Problem problem;
  const char* text;
};

TEST(Problem, IsWrittenInOneFixedOrder) {
  const TextCase cases[] = {
      {"everything",
       {.what = "bad stride",
        .where = "node 'a' (Conv)",
        .got = "0",
        .expected = ">= 1",
        .hint = "fix it"},
       "bad stride: node 'a' (Conv): got 0, expected >= 1 (fix it)"},
      {"nothing", {}, ""},
      {"what", {.what = "no data"}, "no data"},
      {"what and hint", {.what = "no data", .hint = "give --data"}, "no data (give --data)"},
      {"expected alone", {.what = "no data", .expected = "a folder"}, "no data: expected a folder"},
      {"got alone", {.what = "no data", .got = "''"}, "no data: got ''"},
      {"where alone", {.where = "a.yaml:3"}, "a.yaml:3"},
      {"got first", {.got = "1", .expected = "2"}, "got 1, expected 2"},
  };
  for (const TextCase& item : cases) {
    EXPECT_EQ(to_string(item.problem), item.text) << item.description;
  }
}

TEST(Error, KindsHaveTheirExitCodes) {
  EXPECT_EQ(UserError("x").exit_code(), ExitCode::UserError);
  EXPECT_EQ(UnsupportedError("x").exit_code(), ExitCode::Unsupported);
  EXPECT_EQ(InternalError("x").exit_code(), ExitCode::Internal);
  EXPECT_EQ(Interrupted("x").exit_code(), ExitCode::Interrupted);
}

TEST(Error, ExitCodesAreThePromisedNumbers) {
  EXPECT_EQ(static_cast<int>(ExitCode::Ok), 0);
  EXPECT_EQ(static_cast<int>(ExitCode::FailedCheck), 1);
  EXPECT_EQ(static_cast<int>(ExitCode::UserError), 2);
  EXPECT_EQ(static_cast<int>(ExitCode::Unsupported), 3);
  EXPECT_EQ(static_cast<int>(ExitCode::Internal), 70);
  EXPECT_EQ(static_cast<int>(ExitCode::Interrupted), 130);
}

TEST(Error, IsCaughtAsStandardException) {
  try {
    throw UserError({.what = "w", .got = "g"});
  } catch (const std::exception& error) {
    EXPECT_STREQ(error.what(), "w: got g");
  }
}

}  // namespace
}  // namespace espalier::base
