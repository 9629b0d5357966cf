// Workers that are shell scripts: they answer, fail, or talk nonsense as asked.
#include "espalier/recipe/sensitivity_workers.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "espalier/recipe/csv_line.h"
#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

/// A script with the header line as "$0".
std::vector<std::string> script(const std::string& text, std::uint64_t seed = 1) {
  const SensitivityHeader header{
      .model = "m", .model_id = "id", .metric = "top1", .images = 50, .seed = seed};
  return {"/bin/sh", "-c", "printf '%s\\n' \"$0\"; " + text,
          "header " + escape_line(to_text({.header = header}))};
}

/// Answers "G T..." with a point of group G and 10 * T images for each T.
const std::string kObedient =
    "while read -r group trials; do for trial in $trials; do "
    "echo \"point g$group,0.$trial,10,$trial,0,0,0,0,0,${trial}0,0\"; done; echo done; done";

std::vector<std::string> run(SensitivityWorkers& workers, const std::vector<OpenTrials>& work) {
  std::vector<std::string> found;
  workers.run(work, [&](const SensitivityPoint& point) {
    found.push_back(point.group + ":" + std::to_string(point.images));
  });
  std::ranges::sort(found);
  return found;
}

TEST(SensitivityWorkers, ShareTheWork) {
  for (const int count : {1, 2, 5}) {
    SensitivityWorkers workers(script(kObedient), count);
    EXPECT_EQ(workers.header().model_id, "id");
    EXPECT_EQ(run(workers, {{0, {1, 2}}, {1, {3}}, {4, {1}}}),
              (std::vector<std::string>{"g0:10", "g0:20", "g1:30", "g4:10"}));
  }
}

TEST(SensitivityWorkers, HaveNothingToDoSometimes) {
  SensitivityWorkers workers(script(kObedient), 2);
  EXPECT_TRUE(run(workers, {}).empty());
}

TEST(SensitivityWorkers, SayWhenOneFails) {
  kit::expect_user_error(
      [] {
        SensitivityWorkers workers({"/bin/sh", "-c", "exit 3"}, 2);
      },
      "a worker process failed: got exit code 3");
  SensitivityWorkers workers(script("read -r line; exit 4"), 1);
  kit::expect_user_error(
      [&] {
        (void)run(workers, {{0, {1}}});
      },
      "a worker process failed: got exit code 4 (its own message stands above; "
      "--resume goes on from here");
}

TEST(SensitivityWorkers, SayWhenOneIsKilled) {
  SensitivityWorkers workers(script("read -r line; kill -9 $$"), 1);
  kit::expect_user_error(
      [&] {
        (void)run(workers, {{0, {1}}});
      },
      "a worker process was killed: got signal 9 (9 is what the system sends where memory is");
}

TEST(SensitivityWorkers, MustMeasureTheSame) {
  // The process id as the seed: no two agree.
  const SensitivityHeader measured{.metric = "top1", .images = 1, .seed = 77};
  const std::string header = escape_line(to_text({.header = measured}));
  const std::vector<std::string> command{
      "/bin/sh", "-c", "printf '%s\\n' \"$0\" | sed \"s/seed: 77/seed: $$/\"; read -r line",
      "header " + header};
  kit::expect_user_error([&] { SensitivityWorkers workers(command, 2); },
                         "measured otherwise: a worker process: got seed ");
}

TEST(SensitivityWorkers, AreNotTrustedBlindly) {
  kit::expect_internal_error(
      [] {
        SensitivityWorkers workers({"/bin/sh", "-c", "echo hello; read -r line"}, 1);
      },
      "a worker process answered 'hello'");
  SensitivityWorkers workers(script("read -r line; echo what; read -r line"), 1);
  kit::expect_internal_error([&] { (void)run(workers, {{0, {1}}}); }, "answered 'what'");
}

}  // namespace
}  // namespace espalier::recipe
