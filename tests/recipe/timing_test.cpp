#include "espalier/recipe/timing.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

TEST(Timing, ComparesEveryModelInEveryEngine) {
  const kit::TemporaryFolder folder;
  const std::filesystem::path model = write_small_model(folder.path());
  const report::Json json = time_models({.models = {model, model}, .rounds = 3});
  ASSERT_EQ(json.at("rows").items().size(), 4U);
  for (const report::Json& row : json.at("rows").items()) {
    EXPECT_GT(row.at("median_ms").as_number(), 0);
    EXPECT_GT(row.at("speed").as_number(), 0);
  }
  EXPECT_NE(timing_text(json).find("openvino"), std::string::npos);
}

TEST(Timing, NamesAMissingFile) {
  kit::expect_user_error([] { (void)time_models({.models = {"missing.onnx"}}); }, "missing.onnx");
}

}  // namespace
}  // namespace espalier::recipe
