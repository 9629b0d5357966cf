#include "espalier/recipe/run.h"

#include <map>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "espalier/base/file.h"
#include "espalier/onnx/codec.h"
#include "espalier/recipe/model_source.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"
#include "tests/recipe/small_job.h"

namespace espalier::recipe {
namespace {

RunOptions quiet_training(const std::filesystem::path& output, bool resume = false) {
  return {.output = output,
          .resume = resume,
          .threads = 2,
          .command = "espalier train",
          .progress = report::ProgressStyle::Quiet};
}

Recipe run_of(const std::string& text) {
  return parse_recipe(parse_yaml(text, "r.yaml"), ".");
}

TEST(Run, TrainsQuantizesAndProves) {
  const kit::TemporaryFolder folder;
  const RunResult result =
      run_recipe(run_of(small_recipe()), quiet_training(folder.path() / "run"));
  EXPECT_TRUE(result.passed) << result.text;
  for (const char* name : {"model.onnx", "float.onnx", "plan.yaml", "report.json", "report.html",
                           "config.yaml", "log.txt"}) {
    EXPECT_TRUE(std::filesystem::exists(folder.path() / "run" / name)) << name;
  }
  const report::Json& engines = result.report.at("engines");
  ASSERT_EQ(engines.items().size(), 2U);
  for (const report::Json& engine : engines.items()) {
    EXPECT_GE(engine.at("integer_mac_share").as_number(), 0.98);
    EXPECT_GT(engine.at("metrics").at("top1").as_number(), 50) << "four easy classes";
  }
  EXPECT_EQ(result.report.at("training").at("epochs").items().size(), 3U);
  for (const report::Json& check : result.report.at("operator_checks").items()) {
    EXPECT_LE(check.at("worst_step").as_integer(), 1) << check.at("name").as_string();
  }
}

TEST(Run, TrainsWithQuantizersAndProves) {
  const kit::TemporaryFolder folder;
  const std::string names[] = {"{}", "{weights: channel_wise_lsq_weight, activations: lsq_act}"};
  for (const std::string& quantizers : names) {
    RunOptions options = quiet_training(folder.path() / "run");
    options.overwrite = true;
    const RunResult result = run_recipe(run_of(small_qat_recipe(quantizers)), options);
    EXPECT_TRUE(result.passed) << quantizers << "\n" << result.text;
    const report::Json& engines = result.report.at("engines");
    ASSERT_EQ(engines.items().size(), 2U);
    for (const report::Json& engine : engines.items()) {
      EXPECT_GE(engine.at("integer_mac_share").as_number(), 0.98);
      EXPECT_GE(engine.at("simulation_agreement").as_number(), 0.97) << quantizers;
      EXPECT_GT(engine.at("metrics").at("top1").as_number(), 80) << "four easy classes";
    }
    EXPECT_EQ(result.report.at("training").at("epochs").items().size(), 2U);
    const std::string plan = folder.read("run/plan.yaml");
    const bool is_default = quantizers == "{}";
    EXPECT_NE(plan.find(is_default ? "method: moving_average_abs_max" : "method: lsq"),
              std::string::npos);
    EXPECT_EQ(plan.find("clipped: "), std::string::npos) << "a figure of the calibration";
    for (const report::Json& layer : result.report.at("layers").items()) {
      if (layer.at("bits").as_integer() == 32) continue;
      EXPECT_TRUE(layer.at("weight_sqnr_db").is_null()) << "of weights that are gone";
      EXPECT_EQ(layer.at("weight_method").as_string(), is_default ? "abs_max" : "lsq");
      EXPECT_TRUE(layer.at("clipped").is_null());
    }
  }
}

TEST(Run, QuantizedTrainingResumesToTheSameBytes) {
  const kit::TemporaryFolder folder;
  Recipe recipe = run_of(small_qat_recipe("{activations: pact}"));
  std::get<TrainStage>(recipe.stages[0]).options.epochs = 1;
  auto& stage = std::get<QuantizeStage>(recipe.stages[1]);
  stage.verify = {.latency_rounds = 0, .samples = 8, .engines = {}};
  stage.qat->train.options.epochs = 1;
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "a")));
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "b")));
  EXPECT_EQ(folder.read("a/model.onnx"), folder.read("b/model.onnx"));
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "a", true)));
  EXPECT_NE(folder.read("a/log.txt").find("stage 1 (quantize) was finished before"),
            std::string::npos);
  EXPECT_EQ(folder.read("a/model.onnx"), folder.read("b/model.onnx"));
  EXPECT_EQ(folder.read("a/plan.yaml"), folder.read("b/plan.yaml"));
}

TEST(Run, SameSeedSameBytesAndResumeRepeatsNothing) {
  const kit::TemporaryFolder folder;
  Recipe recipe = run_of(small_recipe());
  // The engines have their say in the test above.
  std::get<TrainStage>(recipe.stages[0]).options.epochs = 1;
  std::get<QuantizeStage>(recipe.stages[1]).verify = {
      .latency_rounds = 0, .samples = 8, .engines = {}};
  recipe.calibration = {.samples = 8, .micro_batch = 2};
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "a")));
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "b")));
  EXPECT_EQ(folder.read("a/model.onnx"), folder.read("b/model.onnx"));
  EXPECT_EQ(folder.read("a/plan.yaml"), folder.read("b/plan.yaml"));
  EXPECT_EQ(folder.read("a/checkpoints/stage-0.espalier"),
            folder.read("b/checkpoints/stage-0.espalier"));
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "a", true)));
  EXPECT_NE(folder.read("a/log.txt").find("was finished before"), std::string::npos);
  EXPECT_EQ(folder.read("a/model.onnx"), folder.read("b/model.onnx"));
}

/// A training of a few steps with the keys of its stage.
std::string short_training(const std::string& keys) {
  return "version: 1\nseed: 3\nmodel: {zoo: FashionCNN, classes: 4}\n"
         "data: {train: {dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 16,\n"
         "  transform_ops: [{ToCHWImage: }]}, sampler: {batch_size: 8}, loader: {num_workers: "
         "0}},\n"
         "  eval: {dataset: {name: Synthetic, size: 28, channels: 1, classes: 4, count: 8,\n"
         "  transform_ops: [{ToCHWImage: }]}, loader: {num_workers: 0}}}\n"
         "stages:\n  - train: {" +
         keys + "}\n";
}

TEST(Run, AnEditedRecipeWinsOnResume) {
  const kit::TemporaryFolder folder;
  static_cast<void>(
      run_recipe(run_of(short_training("epochs: 1")), quiet_training(folder.path() / "run")));
  const Recipe edited = run_of(short_training("epochs: 2, ema: {decay: 0.9}"));
  const RunResult result = run_recipe(edited, quiet_training(folder.path() / "run", true));
  EXPECT_EQ(result.report.at("training").at("epochs").items().size(), 2U);
  const std::string log = folder.read("run/log.txt");
  for (const char* line :
       {"the recipe was edited since the run began: stages.0.train.epochs: 1 -> 2",
        "the recipe was edited since the run began: stages.0.train.ema: {decay: 0.9} (new)",
        "stage 0 (train) was finished with another recipe: it goes on with this one",
        "resumed at epoch 2, step 2"}) {
    EXPECT_NE(log.find(line), std::string::npos) << line;
  }
  static_cast<void>(run_recipe(edited, quiet_training(folder.path() / "run", true)));
  EXPECT_NE(folder.read("run/log.txt").find("stage 0 (train) was finished before"),
            std::string::npos);
}

/// Every file of a run but the log, with its content.
std::map<std::string, std::string> contents(const std::filesystem::path& run) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run)) {
    if (!entry.is_regular_file() || entry.path().filename() == "log.txt") continue;
    files[entry.path().string()] = base::read_file(entry.path());
  }
  return files;
}

TEST(Run, AFinishedTrainingIsReplacedOnlyOnRequest) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = run_of(short_training("epochs: 1"));
  RunOptions options = quiet_training(folder.path() / "run");
  static_cast<void>(run_recipe(recipe, options));
  const auto before = contents(options.output);
  kit::expect_user_error(
      [&] { (void)run_recipe(recipe, options); },
      "run' holds a training (--resume of the command that began it goes on with it, --overwrite "
      "replaces it");
  EXPECT_EQ(contents(options.output), before);
  options.overwrite = true;
  static_cast<void>(run_recipe(recipe, options));
  EXPECT_EQ(folder.read("run/model.onnx"), before.at(folder.file("run/model.onnx")));
}

TEST(Run, DataThatDoesNotFitReplacesNothing) {
  const kit::TemporaryFolder folder;
  RunOptions options = quiet_training(folder.path() / "run");
  options.overwrite = true;
  static_cast<void>(run_recipe(run_of(short_training("epochs: 1")), options));
  const auto before = contents(options.output);
  std::string text = short_training("epochs: 2");
  for (std::size_t place = 0; (place = text.find("channels: 1", place)) != std::string::npos;) {
    text.replace(place, 11, "channels: 3");
  }
  kit::expect_user_error([&] { (void)run_recipe(run_of(text), options); },
                         "got float32[8, 3, 28, 28]");
  EXPECT_EQ(contents(options.output), before);
  options.output = folder.path() / "new";
  kit::expect_user_error([&] { (void)run_recipe(run_of(text), options); },
                         "got float32[8, 3, 28, 28]");
  EXPECT_TRUE(contents(options.output).empty());
}

TEST(Run, ATrainingThatStartedAnewIsNotFinished) {
  const kit::TemporaryFolder folder;
  RunOptions options = quiet_training(folder.path() / "run");
  static_cast<void>(run_recipe(run_of(short_training("epochs: 1")), options));
  folder.write("run/checkpoints/stage-3.espalier", "of an earlier recipe");
  folder.write("run/checkpoints/stage-3/best.espalier", "of an earlier recipe");
  options.overwrite = true;
  const std::string diverging =
      "epochs: 9, schedule: {constant: {lr: 1.0e+6}}, optimizer: {sgd: {weight_decay: 1}}";
  kit::expect_user_error([&] { (void)run_recipe(run_of(short_training(diverging)), options); },
                         "not a finite number");
  for (const char* name : {"stage-0.espalier", "stage-3.espalier", "stage-3"}) {
    EXPECT_FALSE(std::filesystem::exists(folder.path() / "run/checkpoints" / name)) << name;
  }
  static_cast<void>(
      run_recipe(run_of(short_training("epochs: 1")), quiet_training(folder.path() / "run", true)));
  EXPECT_EQ(folder.read("run/log.txt").find("was finished before"), std::string::npos);
}

TEST(Run, ABatchLargerThanTheDataIsNamed) {
  const kit::TemporaryFolder folder;
  Recipe recipe = run_of(small_recipe());
  for (auto* split : {&recipe.data.only, &recipe.data.train}) {
    if (!*split) continue;
    (*split)->sampler.batch_size = 100'000;
    (*split)->sampler.drop_last = true;
  }
  kit::expect_user_error([&] { (void)run_recipe(recipe, quiet_training(folder.path() / "run")); },
                         "expected at least batch_size 100000, or drop_last: false");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run" / "config.yaml"));
}

TEST(Run, ChoosingTheBestModelByLabelsNeedsSome) {
  const kit::TemporaryFolder folder;
  const kit::TemporaryFolder images;
  images.write("a.pgm", "P5\n28 28\n255\n" + std::string(28 * 28, 'x'));
  Recipe recipe = run_of(short_training("epochs: 1"));
  recipe.data.eval->dataset = {
      .name = "ImageFolder",
      .parameters = {{"root", images.path().string()}},
      .transforms = {{.name = "DecodeImage", .parameters = {{"to_gray", true}}},
                     {.name = "ToCHWImage"}}};
  kit::expect_user_error([&] { (void)run_recipe(recipe, quiet_training(folder.path() / "run")); },
                         "say best_metric: loss");
}

TEST(Run, AMissingBestModelIsNotReplacedByAnother) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = run_of(short_training("epochs: 1"));
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "run")));
  std::filesystem::remove(folder.path() / "run/checkpoints/stage-0.espalier");
  std::filesystem::remove(folder.path() / "run/checkpoints/stage-0/best.espalier");
  kit::expect_user_error(
      [&] { (void)run_recipe(recipe, quiet_training(folder.path() / "run", true)); },
      "the best model, of epoch 1, cannot be read");
}

TEST(Run, ADamagedBestModelIsLookedForAnew) {
  const kit::TemporaryFolder folder;
  static_cast<void>(
      run_recipe(run_of(short_training("epochs: 1")), quiet_training(folder.path() / "run")));
  const std::filesystem::path best = folder.path() / "run/checkpoints/stage-0/best.espalier";
  std::filesystem::resize_file(best, std::filesystem::file_size(best) / 2);
  std::filesystem::remove(folder.path() / "run/model.onnx");
  const Recipe longer = run_of(short_training("epochs: 2"));
  static_cast<void>(run_recipe(longer, quiet_training(folder.path() / "run", true)));
  EXPECT_THAT(folder.read("run/log.txt"),
              testing::AllOf(testing::HasSubstr("of epoch 1 is lost ("),
                             testing::HasSubstr("looked for from here on"),
                             testing::HasSubstr("of epoch 2]")));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run/model.onnx"));
}

TEST(Run, LayersOfAFileThatSharesEqualVectorsAreTrainedApart) {
  const kit::TemporaryFolder folder;
  ir::Graph graph = load_model({.source = ModelFile{write_small_model(folder.path())}});
  // As exporters store fresh normalizations: equal vectors once.
  for (ir::Node* node : graph.nodes()) {
    if (!node->is("BatchNormalization")) continue;
    graph.set_input(*node, 4, node->input(1));
    graph.set_input(*node, 3, node->input(2));
  }
  onnx::save(graph, folder.path() / "tied.onnx");
  Recipe recipe = run_of(short_training("epochs: 1"));
  recipe.model = {.source = ModelFile{folder.path() / "tied.onnx"}};
  static_cast<void>(run_recipe(recipe, quiet_training(folder.path() / "run")));
  const ir::Graph trained = onnx::load(folder.path() / "run/model.onnx");
  std::set<const ir::Value*> vectors;
  std::size_t expected = 0;
  for (const ir::Node* node : trained.nodes()) {
    if (!node->is("BatchNormalization")) continue;
    for (std::size_t port = 1; port < 5; ++port) vectors.insert(node->input(port));
    expected += 4;
  }
  EXPECT_GT(expected, 0U);
  EXPECT_EQ(vectors.size(), expected);
}

TEST(Run, ResumingNothingIsSaid) {
  const kit::TemporaryFolder folder;
  testing::internal::CaptureStderr();
  static_cast<void>(
      run_recipe(run_of(short_training("epochs: 1")), quiet_training(folder.path() / "run", true)));
  EXPECT_NE(testing::internal::GetCapturedStderr().find("nothing to resume: there is no folder"),
            std::string::npos);
}

TEST(Run, StrategiesActInTheirEpochs) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = run_of(short_training(
      "epochs: 2, clip: {global_norm: 1}, optimizer: {adamw: {weight_decay: 0.01}}, strategies: [\n"
      "  {distil: {end_epoch: 0, loss: [{distil_kl: {weight: 0.5}}]}},\n"
      "  {freeze: {start_epoch: 1, match: ['*.mean']}}, {export: {end_epoch: 0}}]"));
  const RunResult result = run_recipe(recipe, quiet_training(folder.path() / "run"));
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run/epoch-0.onnx"));
  const std::string log = folder.read("run/log.txt");
  EXPECT_NE(log.find("epoch 1: distil, start_epoch 0, end_epoch 0"), std::string::npos);
  EXPECT_NE(log.find("epoch 2: freeze *.mean, start_epoch 1, end_epoch 1"), std::string::npos);
  EXPECT_NE(log.find("distil_kl: "), std::string::npos);
  EXPECT_EQ(folder.read("run/epoch-0.onnx").empty(), false);
  folder.write("run/epoch-notes.txt", "of the user");
  const Recipe edited = run_of(short_training(
      "epochs: 2, clip: {global_norm: 1}, optimizer: {adamw: {weight_decay: 0.01}}, strategies: [\n"
      "  {export: {end_epoch: 1}}]"));
  static_cast<void>(run_recipe(edited, quiet_training(folder.path() / "run", true)));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run/epoch-0.onnx"))
      << "of the recipe before";
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "run/epoch-notes.txt"));
}

TEST(Run, RefusesStagesAfterQuantization) {
  const kit::TemporaryFolder folder;
  const Recipe recipe =
      run_of("version: 1\nmodel: {zoo: FashionCNN}\nstages:\n  - quantize: {}\n  - train: {}\n");
  kit::expect_unsupported([&] { (void)run_recipe(recipe, quiet_training(folder.path() / "run")); },
                          "stage 'train' cannot follow 'quantize'");
  EXPECT_TRUE(folder.files().empty()) << "no partial output";
}

TEST(Run, LayerRulesThatMatchNothingAreRefusedBeforeTheTraining) {
  const kit::TemporaryFolder folder;
  const auto expect_refusal = [&](const char* stage, const char* message) {
    const Recipe recipe =
        run_of(fmt::format("version: 1\nmodel: {{zoo: FashionCNN}}\nstages:\n  - train: {{}}\n"
                           "  - quantize: {{{}}}\n",
                           stage));
    kit::expect_user_error([&] { (void)run_recipe(recipe, quiet_training(folder.path() / "run")); },
                           message);
    EXPECT_TRUE(folder.files().empty()) << "no partial output";
  };
  expect_refusal(
      "skip: ['conv2', 'conv7*']",
      "a skip pattern matches nothing: got 'conv7*', expected a glob on a node name or an "
      "operator type (did you mean 'conv");
  expect_refusal("bits: [{match: 'block*', weights: 4}]",
                 "a rule for bits matches no quantized layer: got 'block*'");
  expect_refusal(
      "mode: qat, train: {epochs: 1}, quantizers: {rules: [{match: 'blok*', weights: abs_max}]}",
      "a rule for quantizers matches no quantized layer: got 'blok*'");
  const Recipe nothing = run_of(
      "version: 1\nmodel: {zoo: FashionCNN}\nstages:\n  - train: {}\n"
      "  - quantize: {skip: ['*']}\n");
  kit::expect_unsupported([&] { (void)run_recipe(nothing, quiet_training(folder.path() / "run")); },
                          "can be quantized");
  EXPECT_TRUE(folder.files().empty()) << "no partial output";
}

TEST(Run, AMissingModelLeavesNoFolder) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = run_of("version: 1\nmodel: {onnx: missing.onnx}\nstages:\n  - export:\n");
  kit::expect_user_error([&] { (void)run_recipe(recipe, quiet_training(folder.path() / "run")); },
                         "missing.onnx");
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "run"));
}

TEST(Run, ExportAloneWritesTheModel) {
  const kit::TemporaryFolder folder;
  const Recipe recipe = run_of("version: 1\nmodel: {zoo: FashionCNN}\nstages:\n  - export:\n");
  EXPECT_TRUE(run_recipe(recipe, quiet_training(folder.path() / "run")).passed);
  EXPECT_FALSE(folder.read("run/model.onnx").empty());
}

}  // namespace
}  // namespace espalier::recipe
