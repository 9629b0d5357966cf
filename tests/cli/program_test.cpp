#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "espalier/cli/command.h"
#include "espalier/onnx/codec.h"
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
    EXPECT_EQ(last_line(result.out), "{\"ok\": false, \"exit_code\": 2}");
  }
}

TEST_F(Program, UnsupportedRecipesExitWithThree) {
  const std::string recipe = folder_.write(
      "r.yaml", "version: 1\nmodel: {zoo: FashionCNN}\nstages:\n  - prune: {target_macs: 0.5}\n");
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
