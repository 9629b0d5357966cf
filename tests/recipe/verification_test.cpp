#include "espalier/recipe/verification.h"

#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/recipe/quantization.h"
#include "tests/kit/expect_error.h"
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

TEST(Verification, AQuantizedFileIsNoFloatModel) {
  const kit::TemporaryFolder folder;
  const QuantizationResult result =
      quantize_model({.graph = onnx::load(write_small_model(folder.path())),
                      .data = synthetic_splits(24),
                      .calibration = {.samples = 8},
                      .stage = {.rounding = false, .verify = {.latency_rounds = 0, .engines = {}}},
                      .progress = report::ProgressStyle::Quiet});
  const std::filesystem::path file = folder.write("int8.onnx", result.quantized_model);
  kit::expect_user_error(
      [&] {
        (void)verify_files(
            {.quantized = file, .original = file, .data = synthetic_splits(8), .config = {}});
      },
      "int8.onnx', given as the float model, is quantized: node '");
}

}  // namespace
}  // namespace espalier::recipe
