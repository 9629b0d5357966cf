#include "espalier/base/append_file.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::base {
namespace {

TEST(AppendFile, AddsBehindWhatIsThere) {
  const kit::TemporaryFolder folder;
  const std::string path = folder.write("a.csv", "first\n");
  {
    AppendFile file(path);
    file.append("second\n");
    file.append("third\n");
    EXPECT_EQ(folder.read("a.csv"), "first\nsecond\nthird\n") << "before it is closed";
  }
  AppendFile(path).append("fourth\n");
  EXPECT_EQ(folder.read("a.csv"), "first\nsecond\nthird\nfourth\n");
}

TEST(AppendFile, CutsOffATornLine) {
  const kit::TemporaryFolder folder;
  AppendFile file(folder.write("a.csv", "whole\nto"));
  file.truncate(6);
  file.append("next\n");
  EXPECT_EQ(folder.read("a.csv"), "whole\nnext\n");
}

TEST(AppendFile, RefusesASecondWriter) {
  const kit::TemporaryFolder folder;
  const std::string path = folder.write("a.csv", "");
  const AppendFile file(path);
  kit::expect_user_error([&] { const AppendFile second(path); },
                         "cannot append to '" + path + "': got another process");
}

TEST(AppendFile, NamesWhatItCannotOpen) {
  const kit::TemporaryFolder folder;
  kit::expect_user_error([&] { const AppendFile file(folder.file("none")); },
                         "cannot append to '" + folder.file("none") + "': got No such file");
  kit::expect_user_error([&] { const AppendFile file(folder.path()); }, "got Is a directory");
}

}  // namespace
}  // namespace espalier::base
