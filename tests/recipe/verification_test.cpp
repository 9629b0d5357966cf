#include "espalier/recipe/verification.h"

#include <gtest/gtest.h>

#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

TEST(Verification, AFloatFileIsNoIntegerFile) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path model = write_small_model(folder.path());
  const VerificationOutcome outcome = verify_files({.quantized = model,
                                                    .original = model,
                                                    .data = synthetic_splits(32),
                                                    .config = {.latency_rounds = 0},
                                                    .progress = report::ProgressStyle::Quiet});
  EXPECT_FALSE(outcome.passed);
  EXPECT_NE(outcome.text.find("integer"), std::string::npos) << outcome.text;
  for (const report::Json& engine : outcome.json.at("engines").items()) {
    EXPECT_DOUBLE_EQ(engine.at("agreement").as_number(), 1);
    EXPECT_DOUBLE_EQ(engine.at("integer_mac_share").as_number(), 0);
  }
}

}  // namespace
}  // namespace espalier::recipe
