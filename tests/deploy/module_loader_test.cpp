#include "espalier/deploy/module_loader.h"

#include <gmock/gmock.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::deploy {
namespace {

TEST(ModuleLoader, SaysThatTheModuleIsMissing) {
  kit::expect_unsupported(
      [] { (void)open_module("/nowhere/libespalier_x.so", "x"); },
      "cannot open the engine 'x': module '/nowhere/libespalier_x.so': got no such file (build it "
      "with 'make build'; it belongs beside the program)");
}

TEST(ModuleLoader, PassesOnWhatTheLinkerSays) {
  const kit::TemporaryFolder folder;
  const std::string file = folder.write("libespalier_x.so", "not a library");
  const std::string text = kit::expect_unsupported([&] { (void)open_module(file, "x"); },
                                                   "cannot open the engine 'x': module '");
  EXPECT_THAT(text, ::testing::HasSubstr("run tools/setup again"));
}

TEST(ModuleLoader, RefusesALibraryThatIsNoModule) {
  kit::expect_unsupported([] { (void)open_module("/lib/x86_64-linux-gnu/libm.so.6", "x"); },
                          "got a library that is not an engine module");
}

TEST(ModuleLoader, RefusesAModuleOfAnotherBuild) {
  const auto file = module_folder() / "libespalier_test_other_build.so";
  kit::expect_unsupported([&] { (void)open_module(file, "x"); },
                          "got 'espalier engine 0' (this program needs 'espalier engine 1");
}

TEST(ModuleLoader, TheFolderIsThatOfTheProgram) {
  EXPECT_TRUE(std::filesystem::exists(module_folder() / "test_deploy"));
}

}  // namespace
}  // namespace espalier::deploy
