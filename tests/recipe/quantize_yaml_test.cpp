#include "espalier/recipe/quantize_yaml.h"

#include <gtest/gtest.h>

#include "espalier/recipe/folder_data.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::recipe {
namespace {

Recipe job_of(const DataSplits& data) {
  Recipe job;
  job.seed = 9;
  job.model.source = ModelFile{.path = "some model.onnx"};
  job.data = data;
  job.calibration = {.samples = 7, .seed = 9, .micro_batch = 3};
  QuantizeStage stage;
  stage.plan.target = "tensorrt";
  stage.plan.method = "percentile";
  stage.plan.percentile = 99.5;
  stage.plan.per_channel = false;
  stage.plan.symmetric = true;
  stage.plan.reduce_range = true;
  stage.plan.weight_method = "abs_max";
  stage.plan.skip = {"head*", "Gemm"};
  stage.bias_correction = false;
  stage.rounding = false;
  stage.verify.max_drop = 1.25;
  stage.verify.allow_slower = true;
  stage.verify.engines = {"openvino"};
  job.stages = {stage, ExportStage{.opset = 19}};
  return job;
}

TEST(QuantizeYaml, ReadingItGivesTheJobBack) {
  const kit::TemporaryFolder folder;
  const std::string data = folder.write("d.yaml", "dataset: {name: Synthetic, count: 8}\n");
  const Recipe job = job_of(load_data(data));
  const Recipe read = parse_recipe(parse_yaml(print_quantization(job, data), "r.yaml"), ".");
  EXPECT_EQ(read.seed, 9U);
  EXPECT_EQ(std::get<ModelFile>(read.model.source).path, "some model.onnx");
  ASSERT_TRUE(read.data.only.has_value());
  EXPECT_EQ(read.data.only->dataset.name, "Synthetic");
  EXPECT_EQ(read.calibration.samples, 7U);
  EXPECT_EQ(read.calibration.seed, 9U);
  EXPECT_EQ(read.calibration.micro_batch, 3U);
  ASSERT_EQ(read.stages.size(), 2U);
  const auto& stage = std::get<QuantizeStage>(read.stages[0]);
  EXPECT_EQ(stage.plan.target, "tensorrt");
  EXPECT_EQ(stage.plan.method, "percentile");
  EXPECT_EQ(stage.plan.percentile, 99.5);
  EXPECT_EQ(stage.plan.per_channel, std::optional(false));
  EXPECT_EQ(stage.plan.symmetric, std::optional(true));
  EXPECT_TRUE(stage.plan.reduce_range);
  EXPECT_EQ(stage.plan.weight_method, "abs_max");
  EXPECT_EQ(stage.plan.skip, (std::vector<std::string>{"head*", "Gemm"}));
  EXPECT_FALSE(stage.bias_correction);
  EXPECT_FALSE(stage.rounding);
  EXPECT_EQ(stage.verify.max_drop, 1.25);
  EXPECT_TRUE(stage.verify.allow_slower);
  EXPECT_EQ(stage.verify.engines, std::vector<std::string>{"openvino"});
  EXPECT_EQ(std::get<ExportStage>(read.stages[1]).opset, 19);
}

TEST(QuantizeYaml, AFolderOfImagesIsWrittenOut) {
  const kit::TemporaryFolder folder;
  folder.write("a.png", "x");
  const FolderOptions options{.mean = {0.5}, .std_deviation = {0.25}, .height = 28, .channels = 1};
  const Recipe job = job_of(open_data(folder.path(), options));
  const Recipe read =
      parse_recipe(parse_yaml(print_quantization(job, folder.path()), "r.yaml"), ".");
  ASSERT_TRUE(read.data.only.has_value());
  const data::DatasetConfig& dataset = read.data.only->dataset;
  EXPECT_EQ(dataset.name, "ImageFolder");
  EXPECT_EQ(std::get<std::string>(dataset.parameters.at("root")), folder.path().string());
  ASSERT_EQ(dataset.transforms.size(), 5U);
  EXPECT_TRUE(std::get<bool>(dataset.transforms[0].parameters.at("to_gray")));
  EXPECT_EQ(std::get<std::int64_t>(dataset.transforms[1].parameters.at("keep_size")), 28);
  EXPECT_EQ(std::get<std::vector<double>>(dataset.transforms[3].parameters.at("std")),
            std::vector<double>{0.25});
}

}  // namespace
}  // namespace espalier::recipe
