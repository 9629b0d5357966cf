#include "espalier/cli/arguments.h"

#include <limits>

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

TEST(Arguments, NumbersMustLieInTheirRange) {
  CLI::App app;
  double number = 0;
  std::uint64_t seed = 0;
  app.add_option("--number", number)->check(number_between(0.5, 2));
  app.add_option("--seed", seed)->check(seed_number());
  app.parse("--number 2 --seed 18446744073709551615");
  EXPECT_EQ(number, 2);
  EXPECT_EQ(seed, std::numeric_limits<std::uint64_t>::max());
  for (const char* bad : {"--number nan", "--number 0.4", "--number 2x", "--number inf",
                          "--seed -1", "--seed 18446744073709551616", "--seed 1.5"}) {
    app.clear();
    EXPECT_THROW(app.parse(bad), CLI::ValidationError) << bad;
  }
}

TEST(Arguments, QuietHidesProgress) {
  EXPECT_EQ(progress_style({.verbosity = -1}), report::ProgressStyle::Quiet);
  EXPECT_EQ(progress_style({}), report::ProgressStyle::Auto);
}

}  // namespace
}  // namespace espalier::cli
