#include "espalier/recipe/sensitivity.h"

#include <algorithm>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "espalier/recipe/csv_line.h"
#include "espalier/recipe/pruning_images.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

using kit::expect_user_error;
using kit::TemporaryFolder;

SensitivityRequest request_for(const TemporaryFolder& folder, const std::string& output) {
  return {.model = write_small_model(folder.path()),
          .data = synthetic_splits(60),
          .trials = {.ratios = {0.25, 0.5, 0.75}},
          .meter = {.threads = 2},
          .samples = 50,
          .output = folder.file(output),
          .progress = report::ProgressStyle::Quiet};
}

TEST(Sensitivity, GoesOnExactlyWhereItWasKilled) {
  const TemporaryFolder folder;
  SensitivityRequest request = request_for(folder, "whole.csv");
  const SensitivityResult whole = analyse_sensitivity(request);
  const std::string expected = folder.read("whole.csv");
  EXPECT_EQ(whole.measured, static_cast<std::int64_t>(whole.store.points.size()));
  EXPECT_EQ(whole.untouched.size(), 1U);
  request.output = folder.file("killed.csv");
  request.resume = true;
  // As a kill leaves it: after the header, inside of a line, after a line.
  const std::size_t header = expected.find("stopped\n") + 8;
  for (const std::size_t size : {header, header + 10, expected.size() - 3, expected.size()}) {
    folder.write("killed.csv", expected.substr(0, size));
    const SensitivityResult rest = analyse_sensitivity(request);
    EXPECT_EQ(folder.read("killed.csv"), expected) << size;
    EXPECT_EQ(rest.measured, size == header || size == header + 10 ? whole.measured
                             : size == expected.size()             ? 0
                                                                   : 1);
  }
}

TEST(Sensitivity, RefusesTheFileOfAnotherMeasurement) {
  const TemporaryFolder folder;
  SensitivityRequest request = request_for(folder, "s.csv");
  request.trials.ratios = {0.5};
  (void)analyse_sensitivity(request);
  const std::string before = folder.read("s.csv");
  expect_user_error([&] { (void)analyse_sensitivity(request); }, "exists already");
  request.resume = true;
  request.seed = 1;
  expect_user_error([&] { (void)analyse_sensitivity(request); }, "measured otherwise");
  EXPECT_EQ(folder.read("s.csv"), before);
}

TEST(Sensitivity, MeasuresStoppedPointsAgainWhereTheyNoLongerStop) {
  const TrialPlan plan{.groups = {{.group = "a",
                                   .channels = 10,
                                   .trials = {{.ratio = 0.1, .removed = 1},
                                              {.ratio = 0.5, .removed = 5},
                                              {.ratio = 0.9, .removed = 9}}}}};
  SensitivityStore store{.header = {.images = 200}};
  store.points = {{.group = "a", .ratio = 0.1, .images = 200},
                  {.group = "a", .ratio = 0.5, .low = 7, .images = 100, .stopped = true}};
  const auto open = [&](std::optional<double> max_loss) {
    const auto result = open_trials(plan, store, {.max_loss = max_loss});
    return result.empty() ? std::vector<std::size_t>{} : result[0].trials;
  };
  EXPECT_EQ(open(5), std::vector<std::size_t>{2});
  EXPECT_EQ(open(8), (std::vector<std::size_t>{1, 2})) << "7 is not above 8";
  EXPECT_EQ(open(std::nullopt), (std::vector<std::size_t>{1, 2}));
  store.points.push_back({.group = "a", .ratio = 0.9, .images = 200});
  EXPECT_TRUE(open(5).empty());
  store.points[0].images = 150;
  EXPECT_TRUE(open(5).empty()) << "images were left out";
  EXPECT_EQ(open(std::nullopt), (std::vector<std::size_t>{0, 1}));
}

TEST(Sensitivity, WorkersAnswerWithTheSamePoints) {
  const TemporaryFolder folder;
  SensitivityRequest request = request_for(folder, "s.csv");
  request.trials.ratios = {0.5};
  const SensitivityResult result = analyse_sensitivity(request);
  std::istringstream orders("1 0\n0 0\n");
  std::ostringstream answers;
  serve_sensitivity(request, orders, answers);
  const auto& points = result.store.points;
  EXPECT_EQ(answers.str(), "header " + escape_line(to_text({.header = result.store.header})) +
                               "\npoint " + to_line(points[1]) + "done\npoint " +
                               to_line(points[0]) + "done\n");
}

TEST(Sensitivity, OrdersChannelsByGradients) {
  const TemporaryFolder folder;
  for (const char* criterion : {"taylor", "fisher"}) {
    SensitivityRequest request = request_for(folder, std::string(criterion) + ".csv");
    request.trials.scores.criterion = criterion;
    const SensitivityResult result = analyse_sensitivity(request);
    EXPECT_GT(result.measured, 2);
    EXPECT_EQ(result.store.header.criterion, criterion);
    // What goes is what the criterion says on the images that do not measure.
    const SensitivityJob job(request);
    const prune::ChannelMap map(job.graph());
    const auto images = read_gradient_images(request.data, job.graph(), {.samples = 50});
    prune::ScoreOptions options{.criterion = criterion};
    add_evidence(options, job.graph(), images);
    const auto scores = prune::score_channels(map, options);
    EXPECT_EQ(images.at(0).images.size(0), 10);
    const GroupTrials& group = job.plan().groups.at(0);
    const auto place = std::ranges::find(map.groups(), group.group, &prune::ChannelGroup::name);
    const auto& judged = scores.at(static_cast<std::size_t>(place - map.groups().begin())).scores;
    ASSERT_EQ(judged.size(), static_cast<std::size_t>(group.channels));
    const std::vector<std::int64_t>& gone = group.plans.at(0).cuts.at(0).removed;
    ASSERT_EQ(gone.size(), static_cast<std::size_t>(group.trials.at(0).removed));
    for (std::size_t channel = 0; channel < judged.size(); ++channel) {
      const bool removed =
          std::ranges::find(gone, static_cast<std::int64_t>(channel)) != gone.end();
      for (const std::int64_t other : gone) {
        if (removed) continue;
        EXPECT_GE(judged[channel], judged[static_cast<std::size_t>(other)]) << criterion;
      }
    }
  }
}

TEST(Sensitivity, RefusesWhatItCannotDo) {
  const TemporaryFolder folder;
  SensitivityRequest request = request_for(folder, "s.csv");
  request.trials.scores.criterion = "taylor";
  request.samples = 60;
  expect_user_error([&] { (void)analyse_sensitivity(request); },
                    "got 60 images in the only split, 60 of which measure, expected further ones");
  request.trials.scores.criterion = "l1";
  request.reestimate_bn = 5;
  onnx::save(onnx::parse("agraph (float[N, 1, 28, 28] x) => (float[N, 2, 28, 28] y)"
                         "<float[2, 1, 1, 1] w = {1, 2}> { y = Conv (x, w) }"),
             request.model);
  expect_user_error([&] { (void)analyse_sensitivity(request); },
                    "cannot re-estimate BatchNormalization: " + request.model.string());
  EXPECT_FALSE(std::filesystem::exists(request.output));
}

}  // namespace
}  // namespace espalier::recipe
