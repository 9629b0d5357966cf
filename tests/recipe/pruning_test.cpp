#include "espalier/recipe/pruning.h"

#include <map>

#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/analysis/model_id.h"
#include "espalier/onnx/shapes.h"
#include "espalier/passes/pipelines.h"
#include "espalier/recipe/run.h"
#include "espalier/recipe/sensitivity_store.h"
#include "espalier/recipe/sensitivity_trials.h"
#include "espalier/zoo/table.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

PruneStage half() {
  PruneStage stage;
  stage.budget.remaining = 0.5;
  stage.budget.limits.align = 1;
  stage.verify = {.latency_rounds = 0, .engines = {}};
  return stage;
}

ir::Graph model() {
  return zoo::build("FashionCNN", {.classes = 4, .seed = 5});
}

TEST(Pruning, GoesToTheBudgetInGeometricSteps) {
  const ir::Graph graph = model();
  PruneStage stage = half();
  stage.iterations = 3;
  const PruningResult result = prune_model({.graph = graph, .data = {}, .stage = stage});
  EXPECT_TRUE(pruning_passed(result.facts));
  const double share = result.facts.at("shares").at("macs").as_number();
  EXPECT_LE(share, 0.5);
  EXPECT_GT(share, 0.4);
  EXPECT_EQ(result.plan.criterion, "l1");
  EXPECT_FALSE(result.facts.find("accuracy"));
}

/// Writes the curve of the model's first group alone, which says that nothing is lost.
std::filesystem::path write_curve_of_one_group(const kit::TemporaryFolder& folder) {
  ir::Graph graph = model();
  passes::run(graph, passes::prepare_for_pruning(), {});
  SensitivityStore store{.header = {.model_id = analysis::model_id(graph),
                                    .criterion = "l1",
                                    .metric = "top1",
                                    .images = 100}};
  const GroupTrials group = plan_trials(graph, {}).groups.front();
  for (const Trial& trial : group.trials) {
    store.points.push_back({.group = group.group,
                            .ratio = trial.ratio,
                            .channels = group.channels,
                            .removed = trial.removed,
                            .images = 100});
  }
  return folder.write("curve.csv", to_text(store));
}

std::string notes_of(const PruningResult& result) {
  std::string text;
  for (const report::Json& note : result.facts.at("notes").items()) text += note.as_string() + "\n";
  return text;
}

TEST(Pruning, SaysWhichGroupsNoCurveTellsOf) {
  const kit::TemporaryFolder folder;
  PruneStage stage = half();
  stage.sensitivities = write_curve_of_one_group(folder);
  stage.budget.strategy = prune::Strategy::Sensitivity;
  stage.budget.remaining = 0.99;
  const PruningResult result = prune_model({.graph = model(), .data = {}, .stage = stage});
  EXPECT_THAT(notes_of(result),
              testing::HasSubstr("groups have no sensitivity curve and keep all channels: '"));
}

TEST(Pruning, SaysWhenTheWholeCostsMoreThanEachGroupMay) {
  const kit::TemporaryFolder folder;
  PruneStage stage = half();
  stage.sensitivities = write_curve_of_one_group(folder);
  stage.reconstruct = false;
  stage.reestimate_norms = false;
  stage.verify.samples = 60;
  const DataSplits data = synthetic_splits(60);
  const auto pruned = [&](double max_loss) {
    stage.max_loss = max_loss;
    return prune_model(
        {.graph = model(), .data = data, .calibration = {.samples = 16}, .stage = stage});
  };
  const PruningResult result = pruned(0);
  const report::Json& accuracy = result.facts.at("accuracy");
  const double lost =
      accuracy.at("before").at("top1").as_number() - accuracy.at("after").at("top1").as_number();
  ASSERT_GT(lost, 0) << "this network and these images lose something";
  EXPECT_THAT(notes_of(result), testing::HasSubstr(fmt::format(
                                    "top1 fell by {:.2f} points: max_loss, 0 points", lost)));
  EXPECT_THAT(notes_of(pruned(100)), testing::Not(testing::HasSubstr("top1 fell")));
}

TEST(Pruning, SaysWhenNothingGoesAndWhenMoreThanWasAskedFor) {
  PruneStage stage = half();
  const auto notes = [&](double remaining, std::int64_t align) {
    stage.budget.remaining = remaining;
    stage.budget.limits.align = align;
    return notes_of(prune_model({.graph = model(), .data = {}, .stage = stage}));
  };
  EXPECT_THAT(notes(1, 1), testing::HasSubstr("nothing is removed"));
  EXPECT_THAT(notes(0.95, 16), testing::ContainsRegex("remain where 95.0 % were asked for"));
  EXPECT_EQ(notes(0.9, 1), "") << "as near as single channels come";
}

/// FashionCNN with height and width of its input left open.
ir::Graph open_model() {
  ir::Graph graph = model();
  ir::TypeInfo type = graph.inputs()[0]->type();
  type.shape = tensor::make_shape({1, 1, 1, 1});
  for (const std::size_t axis : {0, 2, 3}) (*type.shape)[axis] = {};
  graph.inputs()[0]->set_type(type);
  for (const ir::Node* node : graph.nodes()) {
    for (ir::Value* output : node->outputs()) {
      output->set_type({.dtype = output->type().dtype, .shape = {}});
    }
  }
  onnx::infer_shapes(graph);
  return graph;
}

TEST(Pruning, OpenSizesAreCountedForTheImages) {
  PruneStage stage = half();
  const ir::Graph closed = model();
  const ir::Graph open = open_model();
  const PruningResult expected = prune_model({.graph = closed, .data = {}, .stage = stage});
  stage.image_size = 28;
  const PruningResult by_size = prune_model({.graph = open, .data = {}, .stage = stage});
  stage.image_size.reset();
  stage.reconstruct = false;
  stage.reestimate_norms = false;
  const DataSplits data = synthetic_splits(60);
  const PruningResult by_images =
      prune_model({.graph = open, .data = data, .calibration = {.samples = 16}, .stage = stage});
  for (const PruningResult* result : {&by_size, &by_images}) {
    EXPECT_EQ(result->facts.at("before").at("macs").as_integer(),
              expected.facts.at("before").at("macs").as_integer());
    EXPECT_EQ(result->facts.at("after").at("macs").as_integer(),
              expected.facts.at("after").at("macs").as_integer());
    EXPECT_THAT(result->facts.at("notes").items().at(0).as_string(),
                testing::HasSubstr("leaves its input's size open: costs are those of [1, 1, 28"));
  }
}

TEST(Pruning, AnImageSizeThatNothingAsksForIsSaid) {
  PruneStage stage = half();
  stage.image_size = 64;
  const PruningResult result = prune_model({.graph = model(), .data = {}, .stage = stage});
  EXPECT_EQ(result.facts.at("notes").items().at(0).as_string(),
            "image_size is not used: the model itself says the size");
}

TEST(Pruning, CallsTheTrainingAfterEachCut) {
  const ir::Graph graph = model();
  PruneStage stage = half();
  stage.iterations = 2;
  stage.fine_tune.emplace();
  std::vector<std::int64_t> calls;
  const DataSplits data = synthetic_splits(60);
  const PruningResult result =
      prune_model({.graph = graph,
                   .data = data,
                   .calibration = {.samples = 16},
                   .stage = stage,
                   .fine_tune = [&](const ir::Graph& pruned, std::int64_t iteration) {
                     calls.push_back(iteration);
                     return pruned.clone();
                   }});
  EXPECT_EQ(calls, (std::vector<std::int64_t>{1, 2}));
  EXPECT_TRUE(result.facts.at("seconds").find("fine_tune"));
}

TEST(Pruning, ABudgetOutOfReachIsAFailureAmongTheFacts) {
  const ir::Graph graph = model();
  PruneStage stage = half();
  stage.budget.remaining = 0.05;
  stage.budget.limits.max_removed = 0.25;
  const PruningResult result = prune_model({.graph = graph, .data = {}, .stage = stage});
  EXPECT_FALSE(pruning_passed(result.facts));
  EXPECT_THAT(result.facts.at("failures").items().at(0).as_string(),
              testing::HasSubstr("budget not reached: asked to keep at most 5.0 % of the macs"));
}

TEST(Pruning, IterationsThatRunOutOfChannelsAreAFailureAmongTheFacts) {
  const ir::Graph graph = model();
  PruneStage stage = half();
  stage.budget.remaining = 0.05;
  stage.budget.limits.max_removed = 0.25;
  stage.iterations = 3;
  const PruningResult result = prune_model({.graph = graph, .data = {}, .stage = stage});
  EXPECT_FALSE(pruning_passed(result.facts));
  for (const report::Json& group : result.facts.at("groups").items()) {
    EXPECT_LE(group.at("removed").as_integer(), group.at("channels").as_integer() / 4)
        << "all iterations together";
  }
}

/// Running means of all normalizations, by name.
std::map<std::string, Tensor> running_means(const ir::Graph& graph) {
  std::map<std::string, Tensor> means;
  for (const ir::Node* node : graph.nodes()) {
    if (node->is("BatchNormalization")) means[node->name()] = node->input(3)->constant();
  }
  return means;
}

TEST(Pruning, StatisticsAreThoseOfLargeBatchesWhateverTheFileFixes) {
  const ir::Graph open = model();
  ir::Graph fixed = model();
  onnx::infer_shapes(fixed, {{fixed.inputs()[0]->name(), tensor::make_shape({1, 1, 28, 28})}});
  PruneStage stage = half();
  stage.reconstruct = false;
  const DataSplits data = synthetic_splits(60);
  const CalibrationConfig calibration{.samples = 30};
  const auto pruned = [&](const ir::Graph& graph) {
    return prune_model({.graph = graph, .data = data, .calibration = calibration, .stage = stage});
  };
  const PruningResult of_open = pruned(open);
  const PruningResult of_fixed = pruned(fixed);
  EXPECT_GT(of_fixed.facts.at("reestimated_norms").as_integer(), 0);
  EXPECT_EQ(of_fixed.graph.inputs()[0]->type().shape->front().size, 1);
  const auto expected = running_means(of_open.graph);
  const auto means = running_means(of_fixed.graph);
  ASSERT_EQ(means.size(), expected.size());
  ASSERT_FALSE(means.empty());
  for (const auto& [name, mean] : means) {
    EXPECT_TRUE(at::allclose(mean, expected.at(name), 1e-4, 1e-5)) << name;
  }
}

TEST(Pruning, ReconstructsWhereNoTrainingFollows) {
  const ir::Graph graph = model();
  const auto reconstructs = [&](bool trained_later, std::optional<bool> asked) {
    PruneStage stage = half();
    stage.trained_later = trained_later;
    stage.reconstruct = asked;
    const PruningResult result = prune_model({.graph = graph,
                                              .data = synthetic_splits(60),
                                              .calibration = {.samples = 30},
                                              .stage = stage});
    return result.facts.find("reconstruction") != nullptr;
  };
  EXPECT_TRUE(reconstructs(false, std::nullopt));
  EXPECT_FALSE(reconstructs(true, std::nullopt));
  EXPECT_TRUE(reconstructs(true, true));
  EXPECT_FALSE(reconstructs(false, false));
}

std::string recipe_text(const std::string& last) {
  const std::string split =
      "{dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 128, seed: 1,\n"
      "  transform_ops: [{NormalizeImage: {mean: [0.5], std: [0.25], channel_num: 1}},\n"
      "  {ToCHWImage: }]}, sampler: {batch_size: 8}, loader: {num_workers: 1}}";
  return "version: 1\nseed: 3\nmodel: {zoo: FashionCNN, classes: 4}\ndata:\n  train: " + split +
         "\n  eval: " + split +
         "\n  calibration: {samples: 64}\nstages:\n"
         "  - train: {epochs: 2, schedule: {constant: {lr: 0.02}}}\n"
         "  - prune: {target_macs: 0.5, align: 1, check: true, iterations: 2,\n"
         "            fine_tune: {epochs: 1, loss: [{cross_entropy: }, {distil_kl: {temperature: "
         "4}}],\n"
         "            teacher: self}, verify: {latency_rounds: 0}}\n" +
         last;
}

RunOptions quiet_pruning(const std::filesystem::path& output, bool resume = false) {
  return {.output = output,
          .resume = resume,
          .threads = 2,
          .command = "espalier prune",
          .progress = report::ProgressStyle::Quiet};
}

TEST(Pruning, PrunesThenQuantizesInOneRunAndResumes) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = parse_recipe(
      parse_yaml(recipe_text("  - quantize: {verify: {allow_slower: true, latency_rounds: 2,"
                             " max_drop: 50, min_agreement: 0.5}}\n"),
                 "r.yaml"),
      ".");
  const RunResult result = run_recipe(recipe, quiet_pruning(folder.path() / "run"));
  EXPECT_TRUE(result.passed) << result.text;
  EXPECT_LE(result.report.at("pruning").at("shares").at("macs").as_number(), 0.5);
  for (const report::Json& engine : result.report.at("engines").items()) {
    EXPECT_GE(engine.at("integer_mac_share").as_number(), 0.98);
  }
  const std::string bytes = folder.read("run/model.onnx");
  const std::string plan = folder.read("run/prune_plan.yaml");
  std::filesystem::remove(folder.path() / "run/prune_plan.yaml");
  const RunResult again = run_recipe(recipe, quiet_pruning(folder.path() / "run", true));
  EXPECT_EQ(folder.read("run/model.onnx"), bytes);
  EXPECT_EQ(folder.read("run/prune_plan.yaml"), plan);
  EXPECT_EQ(again.report.at("pruning").at("shares"), result.report.at("pruning").at("shares"));
  EXPECT_THAT(folder.read("run/log.txt"),
              testing::HasSubstr("stage 1 (prune) was finished before"));
}

TEST(Pruning, AQuantizedModelIsNamed) {
  ir::Graph graph = model();
  ir::Value& image = *graph.inputs().front();
  ir::Node& reader = *image.uses().front().node;
  ir::Node& codes = graph.insert_before(
      reader, {.op = "QuantizeLinear",
               .inputs = {&image, &graph.add_initializer("s", at::full({}, 0.05F)),
                          &graph.add_initializer("z", at::full({}, 128, at::kByte))},
               .outputs = {"codes"},
               .name = "q"});
  ir::Node& values =
      graph.insert_before(reader, {.op = "DequantizeLinear",
                                   .inputs = {codes.output(), codes.input(1), codes.input(2)},
                                   .outputs = {"values"},
                                   .name = "dq"});
  graph.set_input(reader, 0, values.output());
  EXPECT_THAT(notes_of(prune_model({.graph = graph, .data = {}, .stage = half()})),
              testing::HasSubstr("the model is quantized already (2 quantizers"));
}

TEST(Pruning, AFailedRunReplacesNoResult) {
  const kit::TemporaryFolder folder;
  const auto recipe = [](const std::string& stages) {
    return parse_recipe(parse_yaml(recipe_text(stages), "r.yaml"), ".");
  };
  static_cast<void>(run_recipe(recipe(""), quiet_pruning(folder.path() / "run")));
  const std::string plan = folder.read("run/prune_plan.yaml");
  const std::string model = folder.read("run/model.onnx");
  Recipe other = recipe("  - quantize: {skip: ['*'], verify: {engines: []}}\n");
  std::get<PruneStage>(other.stages[1]).budget.remaining = 0.7;
  RunOptions options = quiet_pruning(folder.path() / "run");
  options.overwrite = true;
  kit::expect_unsupported([&] { static_cast<void>(run_recipe(other, options)); },
                          "can be quantized");
  EXPECT_EQ(folder.read("run/prune_plan.yaml"), plan);
  EXPECT_EQ(folder.read("run/model.onnx"), model);
  other.stages.erase(other.stages.begin() + 1, other.stages.end());
  static_cast<void>(run_recipe(other, options));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run/prune_plan.yaml"))
      << "of another model";
}

TEST(Pruning, PrunesThenTrainsWithQuantizers) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = parse_recipe(
      parse_yaml(recipe_text("  - quantize: {mode: qat, train: {epochs: 1}, verify: {"
                             "allow_slower: true, latency_rounds: 2, max_drop: 50}}\n"),
                 "r.yaml"),
      ".");
  const RunResult result = run_recipe(recipe, quiet_pruning(folder.path() / "run"));
  EXPECT_TRUE(result.passed) << result.text;
}

}  // namespace
}  // namespace espalier::recipe
