// The command `prune` on good and bad input: exit codes, messages, and what lies in the run folder.
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "espalier/ops/cost.h"
#include "espalier/report/json.h"
#include "espalier/train/model_file.h"
#include "espalier/zoo/table.h"
#include "tests/cli/finished.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::cli {
namespace {

using testing::HasSubstr;

class Prune : public testing::Test {
 protected:
  std::string save(const std::string& name, const ir::Graph& graph) {
    onnx::save(graph, folder_.path() / name);
    return folder_.file(name);
  }
  std::string model(std::uint64_t seed = 5) {
    return save("model.onnx", zoo::build("FashionCNN", {.classes = 4, .seed = seed}));
  }
  std::string data() {
    return folder_.write("data.yaml",
                         "dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 48,"
                         "\n  transform_ops: [{ToCHWImage: }]}\nsampler: {batch_size: 16}\n"
                         "loader: {num_workers: 0}\n");
  }
  Finished prune(const std::string& file, const std::vector<std::string>& more) {
    std::vector<std::string> words{
        "prune", file, "-o", folder_.file("run"), "--overwrite", "-q", "--latency-rounds", "0"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  }
  void expect_refused(const Finished& result, int code, const std::string& message) const {
    EXPECT_EQ(result.code, code) << result.err;
    EXPECT_THAT(result.err, HasSubstr("error: "));
    EXPECT_THAT(result.err, HasSubstr(message));
  }
  report::Json facts() {
    return report::parse_json(folder_.read("run/report.json"), "report.json").at("pruning");
  }

  kit::TemporaryFolder folder_;
};

TEST_F(Prune, CutsToTheBudgetAndProvesIt) {
  const Finished result = prune(model(), {"--target-macs", "0.5", "--align", "1", "--check"});
  EXPECT_EQ(result.code, 0) << result.err;
  const report::Json json = facts();
  EXPECT_LE(json.at("shares").at("macs").as_number(), 0.5);
  EXPECT_GT(json.at("shares").at("macs").as_number(), 0.4) << "no more than asked for";
  EXPECT_TRUE(json.at("check").at("passed").as_bool());
  EXPECT_GE(json.at("check").at("wrong_difference").as_number(), 1e-3);
  ASSERT_EQ(json.at("engines").items().size(), 2U);
  for (const report::Json& engine : json.at("engines").items()) {
    EXPECT_TRUE(engine.at("passed").as_bool()) << engine.at("failure").as_string();
    EXPECT_LE(engine.at("difference").as_number(), 1e-4);
  }
  // The figures are those of the file itself.
  const auto before = ops::total_macs(train::load_model(folder_.path() / "model.onnx")).macs;
  const auto after = ops::total_macs(train::load_model(folder_.path() / "run/model.onnx")).macs;
  EXPECT_EQ(json.at("before").at("macs").as_integer(), before);
  EXPECT_EQ(json.at("after").at("macs").as_integer(), after);
  EXPECT_THAT(folder_.read("run/report.html"), HasSubstr("Channel groups"));
}

TEST_F(Prune, AppliesAStoredPlanAndRefusesItForAnotherModel) {
  ASSERT_EQ(prune(model(), {"--target-params", "0.6", "--align", "1"}).code, 0);
  const std::string plan = folder_.write("plan.yaml", folder_.read("run/prune_plan.yaml"));
  const std::string first = folder_.read("run/model.onnx");
  ASSERT_EQ(prune(model(), {"--plan", plan}).code, 0);
  EXPECT_EQ(folder_.read("run/model.onnx"), first);
  expect_refused(prune(model(6), {"--plan", plan}), 2, "for which the plan was made");
  const std::string strange = folder_.write(
      "other.yaml", "version: 1\nkind: prune_plan\ncuts: [{initializer: none, removed: 1}]\n");
  expect_refused(prune(model(), {"--plan", strange}), 2,
                 "got 'none', expected an initializer of the graph");
}

TEST_F(Prune, MendsWithImagesAndFineTunes) {
  const Finished result =
      prune(model(), {"--target-macs", "0.6", "--align", "1", "--data", data(), "--criterion",
                      "taylor", "--epochs", "1", "--iterations", "2", "--reconstruct"});
  EXPECT_EQ(result.code, 0) << result.err;
  const report::Json json = facts();
  EXPECT_LE(json.at("shares").at("macs").as_number(), 0.6);
  EXPECT_GT(json.at("reestimated_norms").as_integer(), 0);
  EXPECT_FALSE(json.at("reconstruction").at("layers").items().empty());
  EXPECT_EQ(json.at("accuracy").at("after").members().size(), 1U);
  // The plan of both iterations together cuts the original in one go.
  const std::string plan = folder_.write("plan.yaml", folder_.read("run/prune_plan.yaml"));
  const std::int64_t macs = json.at("after").at("macs").as_integer();
  ASSERT_EQ(prune(model(), {"--plan", plan}).code, 0);
  EXPECT_EQ(facts().at("after").at("macs").as_integer(), macs);
}

TEST_F(Prune, CanBeRepeatedFromItsFolder) {
  ASSERT_EQ(prune(model(), {"--filters-ratio", "0.4", "--align", "1", "--data", data(), "--epochs",
                            "1", "--seed", "3", "--criterion", "fpgm"})
                .code,
            0);
  const Finished again =
      run({"train", "-c", folder_.file("run/config.yaml"), "-o", folder_.file("again")});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(folder_.read("again/model.onnx"), folder_.read("run/model.onnx"));
  EXPECT_EQ(folder_.read("again/prune_plan.yaml"), folder_.read("run/prune_plan.yaml"));
}

TEST_F(Prune, GoesOnWithAFineTuning) {
  const std::vector<std::string> words{
      "prune", model(),           "-o",  folder_.file("run"), "-q", "--latency-rounds",
      "0",     "--filters-ratio", "0.4", "--align",           "1",  "--data",
      data(),  "--epochs",        "2"};
  ASSERT_EQ(run(words).code, 0);
  const std::string expected = folder_.read("run/model.onnx");
  expect_refused(run(words), 2, "holds a training (--resume of the command that began it");
  std::filesystem::remove(folder_.path() / "run/model.onnx");
  std::vector<std::string> resumed = words;
  resumed.emplace_back("--resume");
  const Finished result = run(resumed);
  EXPECT_EQ(result.code, 0) << result.err;
  EXPECT_EQ(folder_.read("run/model.onnx"), expected);
}

TEST_F(Prune, MasksKeepAllSizes) {
  const Finished result = prune(model(), {"--target-macs", "0.5", "--align", "1", "--mask"});
  EXPECT_EQ(result.code, 0) << result.err;
  const auto before = ops::total_macs(train::load_model(folder_.path() / "model.onnx")).macs;
  const auto after = ops::total_macs(train::load_model(folder_.path() / "run/model.onnx")).macs;
  EXPECT_EQ(before, after);
  EXPECT_TRUE(facts().at("masked").as_bool());
  EXPECT_EQ(facts().at("notes").items().size(), 1U);
}

TEST_F(Prune, SaysLoudlyThatABudgetIsNotReached) {
  const Finished result = run({"prune", model(), "-o", folder_.file("run"), "--latency-rounds", "0",
                               "--target-macs", "0.01", "--max-removed", "0.3", "--align", "1"});
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_THAT(result.out, HasSubstr("FAILED: budget not reached: "));
  EXPECT_FALSE(facts().at("budget").at("reached").as_bool());
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "run/model.onnx"));
}

TEST_F(Prune, RefusesBudgetsThatMakeNoSense) {
  expect_refused(prune(model(), {}), 2, "how much is to be pruned?: expected one of --target-macs");
  expect_refused(prune(model(), {"--target-macs", "0.5", "--filters-ratio", "0.3"}), 2,
                 "one budget is enough: got --target-macs and --filters-ratio");
  expect_refused(prune(model(), {"--target-macs", "0"}), 2,
                 "bad value of --target-macs: got 0, expected a share that stays, in (0, 1]");
  expect_refused(prune(model(), {"--target-params", "1.5"}), 2, "bad value of --target-params");
  expect_refused(prune(model(), {"--target-bytes", "nan"}), 2, "bad value of --target-bytes");
  expect_refused(prune(model(), {"--filters-ratio", "1"}), 2,
                 "got 1, expected a share that goes, in [0, 1)");
  expect_refused(prune(model(), {"--filters-ratio", "-0.1"}), 2, "bad value of --filters-ratio");
  expect_refused(prune(model(), {"--target-macs", "half"}), 2, "half");
  expect_refused(prune(model(), {"--target-macs", "0.5", "--max-removed", "1"}), 2,
                 "expected a number in [0, 1)");
}

TEST_F(Prune, RefusesNamesAndPatternsThatMatchNothing) {
  const std::vector<std::string> half{"--target-macs", "0.5"};
  const auto with = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = half;
    words.insert(words.end(), more.begin(), more.end());
    return prune(model(), words);
  };
  expect_refused(with({"--skip", "no_such_layer*"}), 2, "no_such_layer*");
  expect_refused(with({"--criterion", "l3"}), 2, "l3");
  expect_refused(with({"--strategy", "uniformly"}), 2, "did you mean 'uniform'");
  expect_refused(with({"--reduction", "men"}), 2, "did you mean 'mean'");
  expect_refused(with({"--scaling", "group_men"}), 2, "did you mean 'group_mean'");
  expect_refused(with({"--mask", "--iterations", "2"}), 2, "masks are made in one go");
  expect_refused(with({"--strategy", "sensitivity"}), 2, "needs a file of sensitivities");
  expect_refused(prune(model(), {"--target-macs", "0.5", "--samples", "8"}), 2, "--data");
  expect_refused(prune(model(), {"--max-loss", "1", "--sensitivities", folder_.file("no.csv"),
                                 "--strategy", "uniform"}),
                 2, "a largest loss goes by sensitivity curves: got --strategy uniform");
  expect_refused(prune(model(), {"--max-loss", "1"}), 2, "a largest loss needs sensitivities");
  expect_refused(prune(model(), {"--max-loss", "1", "--sensitivities", folder_.file("no.csv")}), 2,
                 "no.csv");
  expect_refused(with({"--engine", "tensorrt"}), 2, "tensorrt");
}

TEST_F(Prune, RefusesWhatNeedsImagesWithoutThem) {
  expect_refused(prune(model(), {"--target-macs", "0.5", "--criterion", "fisher"}), 2,
                 "criterion 'fisher' needs images, and none are given");
  expect_refused(prune(model(), {"--target-macs", "0.5", "--reconstruct"}), 2,
                 "reconstructing weights needs images");
  expect_refused(prune(model(), {"--target-macs", "0.5", "--reestimate-bn"}), 2,
                 "re-estimating normalizations needs images");
  expect_refused(prune(model(), {"--target-macs", "0.5", "--epochs", "1"}), 2,
                 "fine-tuning needs images");
}

TEST_F(Prune, RefusesAGraphWithNothingToCut) {
  const std::string file = save("bare.onnx", onnx::parse("agraph (float[N, 1, 28, 28] x) =>"
                                                         " (float[N, 1] y) {"
                                                         " g = GlobalAveragePool (x)"
                                                         " y = Flatten (g) }"));
  expect_refused(prune(file, {"--target-macs", "0.5"}), 2, "can be cut");
}

}  // namespace
}  // namespace espalier::cli
