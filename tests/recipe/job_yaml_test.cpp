#include "espalier/recipe/job_yaml.h"

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
  stage.verify.outputs = deploy::OutputMeaning::Values;
  stage.verify.engines = {"openvino"};
  job.stages = {stage, ExportStage{.opset = 19}};
  return job;
}

TEST(JobYaml, ReadingItGivesTheJobBack) {
  const kit::TemporaryFolder folder;
  const std::string data = folder.write("d.yaml", "dataset: {name: Synthetic, count: 8}\n");
  const Recipe job = job_of(load_data(data));
  const Recipe read = parse_recipe(parse_yaml(print_job(job, data), "r.yaml"), ".");
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
  EXPECT_EQ(stage.verify.outputs, deploy::OutputMeaning::Values);
  EXPECT_EQ(stage.verify.engines, std::vector<std::string>{"openvino"});
  EXPECT_EQ(std::get<ExportStage>(read.stages[1]).opset, 19);
}

TEST(JobYaml, AFolderOfImagesIsWrittenOut) {
  const kit::TemporaryFolder folder;
  folder.write("a.png", "x");
  const FolderOptions options{.mean = {0.5}, .std_deviation = {0.25}, .height = 28, .channels = 1};
  const Recipe job = job_of(open_data(folder.path(), options));
  const Recipe read = parse_recipe(parse_yaml(print_job(job, folder.path()), "r.yaml"), ".");
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

PruneStage pruning() {
  PruneStage stage;
  stage.scores = {.criterion = "fpgm",
                  .reduction = prune::Reduction::Norm,
                  .scaling = prune::Scaling::GlobalMean,
                  .seed = 9};
  stage.budget.kind = prune::BudgetKind::Parameters;
  stage.budget.remaining = 0.3;
  stage.budget.strategy = prune::Strategy::Global;
  stage.budget.limits = {.align = 4,
                         .min_width = 3,
                         .max_removed = 0.75,
                         .skip = {"head*"},
                         .cut_first = false,
                         .cut_last = false};
  stage.iterations = 2;
  stage.reestimate_norms = false;
  stage.reconstruct = true;
  stage.check = true;
  stage.fine_tune.emplace();
  stage.fine_tune->options.epochs = 5;
  stage.fine_tune->options.schedule.shape = train::CosineSchedule{.lr = 0.025};
  stage.verify.latency_rounds = 11;
  stage.verify.samples = 13;
  stage.verify.engines = {};
  return stage;
}

PruneStage read_back(const PruneStage& stage) {
  Recipe job;
  job.seed = 9;
  job.model.source = ModelFile{.path = "m.onnx"};
  job.stages = {stage, ExportStage{}};
  const Recipe read = parse_recipe(parse_yaml(print_job(job, ""), "r.yaml"), ".");
  EXPECT_FALSE(read.data.only.has_value());
  return std::get<PruneStage>(read.stages.at(0));
}

TEST(JobYaml, APruningIsReadBack) {
  const PruneStage stage = read_back(pruning());
  EXPECT_EQ(stage.scores.criterion, "fpgm");
  EXPECT_EQ(stage.scores.reduction, prune::Reduction::Norm);
  EXPECT_EQ(stage.scores.scaling, prune::Scaling::GlobalMean);
  EXPECT_EQ(stage.scores.seed, 9U);
  EXPECT_EQ(stage.budget.kind, prune::BudgetKind::Parameters);
  EXPECT_EQ(stage.budget.remaining, 0.3);
  EXPECT_EQ(stage.budget.strategy, prune::Strategy::Global);
  EXPECT_EQ(stage.budget.limits.align, 4);
  EXPECT_EQ(stage.budget.limits.min_width, 3);
  EXPECT_EQ(stage.budget.limits.max_removed, 0.75);
  EXPECT_EQ(stage.budget.limits.skip, std::vector<std::string>{"head*"});
  EXPECT_FALSE(stage.budget.limits.cut_first);
  EXPECT_FALSE(stage.budget.limits.cut_last);
  EXPECT_EQ(stage.iterations, 2);
  EXPECT_FALSE(stage.mask);
  EXPECT_EQ(stage.reestimate_norms, std::optional(false));
  EXPECT_EQ(stage.reconstruct, std::optional(true));
  EXPECT_TRUE(stage.check);
  ASSERT_TRUE(stage.fine_tune.has_value());
  EXPECT_EQ(stage.fine_tune->options.epochs, 5);
  EXPECT_EQ(std::get<train::CosineSchedule>(stage.fine_tune->options.schedule.shape).lr, 0.025);
  EXPECT_EQ(stage.verify.latency_rounds, 11);
  EXPECT_EQ(stage.verify.samples, 13);
  EXPECT_TRUE(stage.verify.engines.empty());
}

TEST(JobYaml, EveryBudgetOfAPruningIsReadBack) {
  PruneStage stage;
  for (const auto kind : {prune::BudgetKind::Macs, prune::BudgetKind::Parameters,
                          prune::BudgetKind::Bytes, prune::BudgetKind::Filters}) {
    stage.budget.kind = kind;
    stage.budget.remaining = 0.7;
    const PruneStage read = read_back(stage);
    EXPECT_EQ(read.budget.kind, kind);
    EXPECT_DOUBLE_EQ(read.budget.remaining, 0.7);
    EXPECT_FALSE(read.fine_tune.has_value());
    EXPECT_FALSE(read.reconstruct.has_value());
  }
  stage.max_loss = 1.5;
  stage.sensitivities = "s.csv";
  EXPECT_EQ(read_back(stage).max_loss, std::optional(1.5));
  EXPECT_EQ(read_back(stage).sensitivities, "s.csv");
  stage = {};
  stage.plan = "prune_plan.yaml";
  stage.mask = true;
  EXPECT_EQ(read_back(stage).plan, "prune_plan.yaml");
  EXPECT_TRUE(read_back(stage).mask);
}

}  // namespace
}  // namespace espalier::recipe
