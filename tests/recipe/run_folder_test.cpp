#include "espalier/recipe/run_folder.h"

#include <gtest/gtest.h>

#include "espalier/base/log.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

TEST(RunFolder, KeepsFilesAndLog) {
  const kit::TemporaryFolder folder;
  {
    const RunFolder run(folder.path() / "a" / "b");
    run.write("plan.yaml", "x: 1\n");
    EXPECT_TRUE(run.has("plan.yaml"));
    EXPECT_EQ(run.read("plan.yaml"), "x: 1\n");
    base::log_info("a line");
  }
  base::log_info("after the run");
  const std::string log = folder.read("a/b/log.txt");
  EXPECT_NE(log.find("a line"), std::string::npos);
  EXPECT_EQ(log.find("after the run"), std::string::npos);
}

TEST(RunFolder, RefusesAFileInItsPlace) {
  const kit::TemporaryFolder folder;
  const std::string file = folder.write("taken", "");
  kit::expect_user_error([&] { const RunFolder run{file}; }, "cannot create the output folder");
}

}  // namespace
}  // namespace espalier::recipe
