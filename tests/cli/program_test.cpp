#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "espalier/cli/command.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/text.h"
#include "espalier/report/json.h"
#include "espalier/zoo/table.h"
#include "tests/cli/finished.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::cli {
namespace {

std::string last_line(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const std::size_t start = text.rfind('\n');
  return start == std::string::npos ? text : text.substr(start + 1);
}

class Program : public testing::Test {
 protected:
  std::string model() {
    onnx::save(zoo::build("FashionCNN", {.classes = 4}), folder_.path() / "model.onnx");
    return folder_.file("model.onnx");
  }
  std::string data() {
    return folder_.write(
        "data.yaml",
        "dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 24,\n"
        "  transform_ops: [{ToCHWImage: }]}\nloader: {num_workers: 0}\n");
  }
  kit::TemporaryFolder folder_;
};

TEST_F(Program, EveryCommandHasHelp) {
  for (const Command& command : commands()) {
    const Finished result = run({std::string(command.name), "--help"});
    EXPECT_EQ(result.code, 0) << command.name;
    for (const char* option : {"--seed", "--threads", "--json", "--verbose", "--quiet"}) {
      EXPECT_NE(result.out.find(option), std::string::npos) << command.name << option;
    }
  }
}

TEST_F(Program, UsageErrorsExitWithTwo) {
  EXPECT_EQ(run({}).code, 2);
  const Finished unknown = run({"quantise"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_EQ(unknown.err, "error: unknown command 'quantise' (did you mean 'quantize')\n");
  EXPECT_EQ(run({"inspect"}).code, 2);
  EXPECT_EQ(run({"inspect", "x.onnx", "--nope"}).code, 2);
  EXPECT_EQ(run({"quantize", model(), "--data", data(), "-o", "x", "--method", "best"}).code, 2);
  EXPECT_EQ(run({"quantize", model(), "--data", data(), "-o", "x", "--target", "npu"}).code, 2);
  EXPECT_EQ(run({"evaluate", model(), "--data", data(), "--threads", "0"}).code, 2);
}

TEST_F(Program, BadFilesExitWithTwoAndOneMessage) {
  const std::string garbage = folder_.write("bad.onnx", std::string(2000, '\xff'));
  for (const std::string& file : {garbage, folder_.file("missing.onnx")}) {
    const Finished result = run({"inspect", file, "--json"});
    EXPECT_EQ(result.code, 2) << file;
    EXPECT_EQ(result.err.find("error: "), 0U) << result.err;
    EXPECT_NE(result.err.find(file), std::string::npos) << result.err;
    const report::Json json = report::parse_json(last_line(result.out), "out");
    EXPECT_FALSE(json.at("ok").as_bool());
    EXPECT_EQ(json.at("exit_code").as_integer(), 2);
    EXPECT_EQ("error: " + json.at("error").at("message").as_string() + "\n", result.err);
  }
}

TEST_F(Program, UnsupportedRecipesExitWithThree) {
  const std::string recipe = folder_.write(
      "r.yaml", "version: 1\nmodel: {zoo: FashionCNN}\nstages:\n  - distil: {epochs: 1}\n");
  EXPECT_EQ(run({"train", "-c", recipe, "-o", folder_.file("run")}).code, 3);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "run"));
}

TEST_F(Program, InspectAndEvaluatePrintJsonLast) {
  const Finished inspected = run({"inspect", model(), "--json"});
  ASSERT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_GT(report::parse_json(last_line(inspected.out), "out").at("macs").as_integer(), 0);
  const Finished evaluated = run({"evaluate", model(), "--data", data(), "--json", "-q"});
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_EQ(report::parse_json(evaluated.out, "out").at("images").as_integer(), 24);
}

TEST_F(Program, JsonSaysHowItEnded) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"quantise", "--json"}, {"inspect", "--json", "--nope"}}) {
    const Finished result = run(words);
    EXPECT_EQ(result.code, 2);
    const report::Json json = report::parse_json(last_line(result.out), "out");
    EXPECT_FALSE(json.at("ok").as_bool());
    EXPECT_FALSE(json.at("error").at("message").as_string().empty());
  }
  const Finished good = run({"inspect", model(), "--json", "-q"});
  const report::Json json = report::parse_json(good.out, "out");
  EXPECT_TRUE(json.at("ok").as_bool());
  EXPECT_EQ(json.at("exit_code").as_integer(), 0);
  const Finished failed = run({"verify", model(), "--float", model(), "--data", data(),
                               "--latency-rounds", "0", "--json", "-q"});
  EXPECT_FALSE(report::parse_json(last_line(failed.out), "out").at("ok").as_bool());
}

TEST_F(Program, AQuantizationCanBeRepeatedFromItsFolder) {
  const std::string output = folder_.file("a run");
  std::vector<std::string> words{"quantize",
                                 model(),
                                 "--data",
                                 data(),
                                 "-o",
                                 output,
                                 "--seed",
                                 "3",
                                 "--samples",
                                 "8",
                                 "--method",
                                 "mse",
                                 "--skip",
                                 "head*",
                                 "--symmetric",
                                 "--max-drop",
                                 "100",
                                 "--opset",
                                 "18",
                                 "--no-rounding",
                                 "--min-agreement",
                                 "0",
                                 "--min-integer-share",
                                 "0",
                                 "--latency-rounds",
                                 "0",
                                 "--verify-samples",
                                 "8"};
  ASSERT_EQ(run(words).code, 0);
  std::string line = "# espalier";
  for (const std::string& word : words) {
    const bool quoted = word == output || word == "head*";
    line += quoted ? " '" + word + "'" : " " + word;
  }
  const std::string config = folder_.read("a run/config.yaml");
  EXPECT_EQ(config.substr(0, config.find('\n')), line);
  const Finished again = run({"train", "-c", output + "/config.yaml", "-o", folder_.file("b")});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(folder_.read("b/model.onnx"), folder_.read("a run/model.onnx"));
  EXPECT_EQ(folder_.read("b/plan.yaml"), folder_.read("a run/plan.yaml"));
}

TEST_F(Program, RunFoldersStandForTheirModels) {
  const std::string output = folder_.file("run");
  const std::vector<std::string> bounds{"--samples",       "8", "--max-drop",       "100",
                                        "--min-agreement", "0", "--latency-rounds", "0"};
  std::vector<std::string> words{"quantize", model(), "--data", data(), "-o", output};
  words.insert(words.end(), bounds.begin(), bounds.end());
  ASSERT_EQ(run(words).code, 0);
  EXPECT_EQ(run({"evaluate", output, "--data", data()}).code, 0);
  EXPECT_EQ(run({"inspect", output}).code, 0);
  EXPECT_EQ(run({"bench", output, "--rounds", "1", "--engine", "onnxruntime"}).code, 0);
  words[1] = output;
  words[5] = folder_.file("again");
  const Finished again = run(words);
  EXPECT_EQ(again.code, 0) << again.err << "its float model is quantized";
  EXPECT_EQ(folder_.read("again/model.onnx"), folder_.read("run/model.onnx"));
  const Finished pruned = run({"prune", output, "-o", folder_.file("pruned"), "--target-macs",
                               "0.5", "--align", "1", "--latency-rounds", "0"});
  EXPECT_EQ(pruned.code, 0) << pruned.err << "its float model is pruned";
  const Finished measured =
      run({"sensitivity", output, "--data", data(), "-o", folder_.file("s.csv"), "--samples", "8",
           "--ratios", "0.5", "--exact"});
  EXPECT_EQ(measured.code, 0) << measured.err;
}

TEST_F(Program, OptionsWithoutEffectAreRefused) {
  const auto refused = [](const std::vector<std::string>& words, const std::string& text) {
    const Finished result = run(words);
    EXPECT_EQ(result.code, 2);
    EXPECT_NE(result.err.find(text), std::string::npos) << result.err;
  };
  const std::string fixed = folder_.file("fixed.onnx");
  onnx::save(onnx::parse("agraph (float[4, 1, 28, 28] x) => (float[4, 784] y) { y = Flatten (x) }"),
             fixed);
  const std::string text = "got 3, expected a multiple of 4, which the file fixes";
  refused({"predict", fixed, "--data", data(), "--batch", "3"}, text);
  refused({"evaluate", fixed, "--data", data(), "--batch", "3"}, text);
  refused({"bench", fixed, "--batch", "3"}, text);
  refused(
      {"quantize", model(), "--data", data(), "-o", "x", "--method", "kl", "--percentile", "99"},
      "--percentile has no effect: got --method kl, expected --method percentile or auto");
  refused({"quantize", model(), "--data", data(), "-o", "x", "--percentile", "50"}, "--percentile");
  refused({"inspect", model(), "--seed", "-1"}, "--seed");
  EXPECT_NE(run({"train", "--help"}).out.find("the recipe's"), std::string::npos);
}

TEST_F(Program, QuantizeWritesARunFolderAndItsReportAgain) {
  const std::string output = folder_.file("run");
  const Finished result =
      run({"quantize", model(), "--data", data(), "-o", output, "--latency-rounds", "0",
           "--samples", "8", "--max-drop", "100", "--min-agreement", "0"});
  EXPECT_EQ(result.code, 0) << result.err << result.out;
  const std::string page = folder_.read("run/report.html");
  EXPECT_EQ(run({"report", output}).code, 0);
  EXPECT_EQ(folder_.read("run/report.html"), page);
}

TEST_F(Program, ExportAndPredictPrintJsonLast) {
  const std::string file = folder_.file("again.onnx");
  const Finished exported =
      run({"export", model(), "-o", file, "--form", "folded", "--opset", "18", "--json"});
  ASSERT_EQ(exported.code, 0) << exported.err;
  EXPECT_NE(exported.out.find("written: " + file), std::string::npos) << exported.out;
  EXPECT_EQ(report::parse_json(last_line(exported.out), "out").at("form").as_string(), "folded");
  const Finished predicted =
      run({"predict", file, "--data", data(), "--top", "2", "--samples", "3", "--json", "-q"});
  ASSERT_EQ(predicted.code, 0) << predicted.err;
  const report::Json json = report::parse_json(predicted.out, "out");
  EXPECT_EQ(json.at("images").as_integer(), 3);
  EXPECT_EQ(json.at("predictions").items()[0].at("top").items().size(), 2U);
  EXPECT_EQ(run({"export", model()}).code, 2);
  EXPECT_EQ(run({"export", model(), "-o", file, "--form", "int4"}).code, 2);
  EXPECT_EQ(run({"predict", model()}).code, 2);
}

TEST_F(Program, AFailedBoundExitsWithOne) {
  const Finished result =
      run({"verify", model(), "--float", model(), "--data", data(), "--latency-rounds", "0"});
  EXPECT_EQ(result.code, 1) << result.err;
  EXPECT_NE(result.out.find("failed: "), std::string::npos);
}

TEST_F(Program, AnUnwritableFolderIsNamed) {
  const std::string file = folder_.write("taken", "");
  const Finished result = run({"quantize", model(), "--data", data(), "-o", file});
  EXPECT_EQ(result.code, 2);
  EXPECT_NE(result.err.find("taken"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace espalier::cli
