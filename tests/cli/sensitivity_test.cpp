// The command as users run it: measured, killed, resumed, merged, asked for ratios, made wrong.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "espalier/process/child.h"
#include "espalier/report/json.h"
#include "espalier/zoo/table.h"
#include "tests/cli/finished.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::cli {
namespace {

using testing::HasSubstr;

class Sensitivity : public testing::Test {
 protected:
  Sensitivity() {
    onnx::save(zoo::build("FashionCNN", {.classes = 4, .seed = 5}), folder_.path() / "m.onnx");
    folder_.write("data.yaml",
                  "dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 400,\n"
                  "  transform_ops: [{ToCHWImage: }]}\nloader: {num_workers: 0}\n");
  }

  std::vector<std::string> words(const std::string& output,
                                 const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all{
        "sensitivity", folder_.file("m.onnx"), "--data",    folder_.file("data.yaml"),
        "-o",          folder_.file(output),   "--samples", "300",
        "-q"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  /// The program itself, in a process of its own.
  static std::vector<std::string> program(std::vector<std::string> words) {
    const auto path = process::own_program().parent_path() / "espalier";
    words.insert(words.begin(), path.string());
    return words;
  }

  static int run_program(const std::vector<std::string>& words) {
    process::Children children;
    children.add(program(words));
    while (!children.next().ended) {
    }
    return children[0].wait();
  }

  std::size_t num_lines(const std::string& name) const {
    if (!std::filesystem::exists(folder_.file(name))) return 0;
    const std::string text = folder_.read(name);
    return static_cast<std::size_t>(std::ranges::count(text, '\n'));
  }

  static void expect_refused(const Finished& result, int code, const std::string& message) {
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr("error: "));
    EXPECT_THAT(result.err, HasSubstr(message));
  }

  kit::TemporaryFolder folder_;
};

TEST_F(Sensitivity, WritesCurvesReportAndJson) {
  const Finished result = run(words("s.csv", {"--ratios", "0.25,0.5", "--exact", "--json"}));
  ASSERT_EQ(result.code, 0) << result.err;
  const report::Json json = report::parse_json(result.out, "stdout");
  EXPECT_EQ(json.at("images").as_integer(), 300);
  EXPECT_EQ(json.at("groups").items().at(0).at("points").items().size(), 2U);
  EXPECT_EQ(json.at("stopped").as_integer(), 0);
  EXPECT_THAT(folder_.read("s.csv"), HasSubstr("# espalier sensitivity 1\n# model: m\n"));
  EXPECT_THAT(folder_.read("s.html"), HasSubstr("Sensitivities of m"));
  EXPECT_THAT(folder_.read("s.json"), HasSubstr("--ratios 0.25,0.5"));
}

TEST_F(Sensitivity, WorkersFindTheSame) {
  const std::vector<std::string> few{"--ratios", "0.2,0.7"};
  ASSERT_EQ(run(words("one.csv", few)).code, 0);
  ASSERT_EQ(run_program(words("two.csv", {"--ratios", "0.2,0.7", "--workers", "2"})), 0);
  EXPECT_EQ(folder_.read("two.csv"), folder_.read("one.csv"));
  ASSERT_EQ(
      run_program(words("three.csv", {"--ratios", "0.2,0.7", "--workers", "3", "--threads", "1"})),
      0);
  EXPECT_EQ(folder_.read("three.csv"), folder_.read("one.csv"));
}

TEST_F(Sensitivity, GoesOnAfterAKill) {
  ASSERT_EQ(run(words("whole.csv", {"--exact"})).code, 0);
  const std::size_t header = 12;
  const std::size_t all = num_lines("whole.csv");
  for (const std::string workers : {"1", "2"}) {
    const std::string name = "killed" + workers + ".csv";
    {
      const process::Child child(program(words(name, {"--exact", "--workers", workers})));
      while (num_lines(name) < header + 3) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      }
    }  // SIGKILL
    EXPECT_LT(num_lines(name), all) << "too fast to be killed in the middle";
    const std::vector<std::string> resume{"--exact", "--workers", workers, "--resume"};
    ASSERT_EQ(run_program(words(name, resume)), 0);
    EXPECT_EQ(folder_.read(name), folder_.read("whole.csv"));
  }
}

TEST_F(Sensitivity, MergesPartsOfOneMeasurement) {
  ASSERT_EQ(run(words("all.csv", {"--ratios", "0.3,0.6"})).code, 0);
  ASSERT_EQ(run(words("a.csv", {"--ratios", "0.3"})).code, 0);
  ASSERT_EQ(run(words("b.csv", {"--ratios", "0.6"})).code, 0);
  const Finished merged = run({"sensitivity", "merge", folder_.file("a.csv"), folder_.file("b.csv"),
                               "-o", folder_.file("c.csv"), "--json"});
  ASSERT_EQ(merged.code, 0) << merged.err;
  EXPECT_THAT(merged.out, HasSubstr("\"points\":"));
  const auto lines = [&](const std::string& name) {
    std::vector<std::string> result;
    std::istringstream stream(folder_.read(name));
    for (std::string line; std::getline(stream, line);) result.push_back(line);
    std::ranges::sort(result);
    return result;
  };
  EXPECT_EQ(lines("c.csv"), lines("all.csv"));
  ASSERT_EQ(run(words("l2.csv", {"--ratios", "0.3", "--criterion", "l2"})).code, 0);
  expect_refused(run({"sensitivity", "merge", folder_.file("a.csv"), folder_.file("l2.csv"), "-o",
                      folder_.file("d.csv")}),
                 2, "measured otherwise: " + folder_.file("l2.csv") + ": got criterion l2");
}

TEST_F(Sensitivity, TurnsCurvesIntoRatios) {
  ASSERT_EQ(run(words("s.csv")).code, 0);
  const std::string file = folder_.file("s.csv");
  const Finished loss = run({"sensitivity", "ratios", file, "--loss", "3", "--json"});
  ASSERT_EQ(loss.code, 0) << loss.err;
  EXPECT_THAT(loss.out, HasSubstr("\"ratios\":{"));
  const Finished macs = run({"sensitivity", "ratios", file, folder_.file("m.onnx"), "--target-macs",
                             "0.5", "--json", "-q"});
  ASSERT_EQ(macs.code, 0) << macs.err;
  const double remaining = report::parse_json(macs.out, "stdout").at("remaining").as_number();
  EXPECT_LE(remaining, 0.5);
  EXPECT_GT(remaining, 0.4);
  EXPECT_THAT(run({"sensitivity", "ratios", file, "--loss", "0.02"}).err,
              HasSubstr("--loss 0.02 is 0.02 points of top-1: for 2 % of the images say --loss 2"));
  const Finished little =
      run({"sensitivity", "ratios", file, folder_.file("m.onnx"), "--target-macs", "0.001"});
  EXPECT_EQ(little.code, 1);
  EXPECT_THAT(little.err, HasSubstr("asked to keep at most 0.1 % of the macs"));
}

TEST_F(Sensitivity, RefusesBadRequests) {
  expect_refused(run(words("s.csv", {"--ratios", "0.5,1"})), 2, "got 1, expected [0, 1)");
  expect_refused(run(words("s.csv", {"--groups", "layer9*"})), 2,
                 "a pattern of channel groups matches nothing: got 'layer9*'");
  expect_refused(run(words("s.csv", {"--exact", "--max-loss", "3"})), 2, "excludes");
  expect_refused(run(words("s.csv", {"--criterion", "l3"})), 2, "l3");
  expect_refused(run(words("s.csv", {"--reestimate-bn", "101"})), 2, "too few images");
  expect_refused(run({"sensitivity"}), 2, "no model: expected espalier sensitivity MODEL");
  expect_refused(run({"sensitivity", folder_.file("m.onnx")}), 2, "--data");
  folder_.write("blind.yaml",
                "dataset: {name: Synthetic, size: 28, channels: 1, classes: 9, count: 40,\n"
                "  transform_ops: [{ToCHWImage: }]}\n");
  expect_refused(run({"sensitivity", folder_.file("m.onnx"), "--data", folder_.file("blind.yaml"),
                      "-o", folder_.file("s.csv")}),
                 2, "a label is outside the classes of the model");
  EXPECT_EQ(folder_.files(), (std::vector<std::string>{"blind.yaml", "data.yaml", "m.onnx"}));
}

TEST_F(Sensitivity, RefusesGraphsOfWhichNothingCanBeCut) {
  onnx::save(onnx::parse("agraph (float[N, 1, 28, 28] x) => (float[N, 2, 28, 28] y)"
                         "<float[2, 1, 1, 1] w = {1, 2}> { y = Conv (x, w) }"),
             folder_.path() / "m.onnx");
  expect_refused(run(words("s.csv")), 2, "can be cut: got '");
}

TEST_F(Sensitivity, RefusesDamagedFiles) {
  ASSERT_EQ(run(words("s.csv", {"--ratios", "0.5"})).code, 0);
  const std::string whole = folder_.read("s.csv");
  std::string damaged = whole;
  damaged.replace(damaged.find(",0.5,"), 5, ",half,");
  const std::string file = folder_.write("damaged.csv", damaged);
  expect_refused(run(words("damaged.csv", {"--ratios", "0.5", "--resume"})), 2,
                 "cannot read the sensitivities: '" + file + "':13: got 'half'");
  EXPECT_EQ(folder_.read("damaged.csv"), damaged) << "untouched";
  expect_refused(run({"sensitivity", "ratios", folder_.file("m.onnx"), "--loss", "1"}), 2,
                 "expected '# espalier sensitivity 1' in the first line");
  expect_refused(run({"sensitivity", "ratios", folder_.file("s.csv")}), 2,
                 "ratios for what: got nothing");
  expect_refused(run({"sensitivity", "ratios", folder_.file("s.csv"), "--target-macs", "0.5"}), 2,
                 "--target-macs needs the model");
  expect_refused(run({"sensitivity", "ratios", folder_.file("s.csv"), folder_.file("m.onnx"),
                      "--target-macs", "1.5"}),
                 2, "expected a number in (0, 1]");
  expect_refused(run(words("s.csv", {"--ratios", "0.5"})), 2, "exists already");
}

}  // namespace
}  // namespace espalier::cli
