#include "espalier/cli/arguments.h"

#include <CLI/CLI.hpp>
#include <gtest/gtest.h>

namespace espalier::cli {
namespace {

TEST(Arguments, FolderOptionsReachTheData) {
  CLI::App app;
  DataArguments arguments;
  arguments.add_to(app, true);
  app.parse("--data some/folder --mean 0.1,0.2,0.3 --std 1,2,3 --size 64");
  EXPECT_EQ(arguments.data, "some/folder");
  EXPECT_EQ(arguments.folder.mean, (std::vector<double>{0.1, 0.2, 0.3}));
  EXPECT_EQ(arguments.folder.std_deviation, (std::vector<double>{1, 2, 3}));
  EXPECT_EQ(arguments.folder_options().height, 64);
  EXPECT_EQ(arguments.folder_options().width, 64);
}

TEST(Arguments, CommandLinesAreQuotedForAShell) {
  EXPECT_EQ(command_line({"train", "-c", "a b.yaml", "--set", "x=[1]"}),
            "espalier train -c 'a b.yaml' --set 'x=[1]'");
  EXPECT_EQ(command_line({"it's", "#1", ""}), "espalier 'it'\\''s' '#1' ''");
}

TEST(Arguments, QuietHidesProgress) {
  EXPECT_EQ(progress_style({.verbosity = -1}), report::ProgressStyle::Quiet);
  EXPECT_EQ(progress_style({}), report::ProgressStyle::Auto);
}

}  // namespace
}  // namespace espalier::cli
