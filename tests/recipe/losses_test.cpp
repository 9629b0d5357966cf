#include "espalier/recipe/losses.h"

#include <gmock/gmock.h>

#include "espalier/train/distillation.h"
#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"

namespace espalier::recipe {
namespace {

ir::Graph model(std::uint64_t seed) {
  return zoo::build("FashionCNN", {.classes = 4, .seed = seed});
}

/// The value that the first convolution gives.
std::string first_value(const ir::Graph& graph) {
  for (const ir::Node* node : graph.nodes()) {
    if (node->is("Conv")) return node->output()->name();
  }
  return "";
}

TEST(Losses, FeaturesBecomeOutputsOfTheProgramOnly) {
  const ir::Graph graph = model(1);
  const std::string value = first_value(graph);
  const TrainStage stage{
      .options = {},
      .losses = {{.kind = LossConfig::Kind::Feature, .student = {value}, .teacher = {value}}},
      .strategies = {{.what = DistilConfig{.losses = {{.kind = LossConfig::Kind::Feature,
                                                       .student = {"logits"},
                                                       .teacher = {"logits"}}}}}}};
  const StudentFeatures features(graph, stage);
  EXPECT_EQ(features.output("logits"), 0U);
  EXPECT_EQ(features.output(value), 1U);
  EXPECT_THAT(features.compile(graph).output_names(), ::testing::ElementsAre("logits", value));
  EXPECT_EQ(graph.outputs().size(), 1U);
  const TrainStage unknown{.options = {},
                           .losses = {{.kind = LossConfig::Kind::Feature, .student = {"nope"}}}};
  kit::expect_user_error([&] { (void)StudentFeatures(graph, unknown).compile(graph); }, "nope");
}

TEST(Losses, TermsShareWeightsNamesAndTheTeacher) {
  const ir::Graph student = model(1);
  const ir::Graph self = model(2);
  const std::string value = first_value(student);
  const LossConfig feature{.kind = LossConfig::Kind::Feature,
                           .weight = 0.25,
                           .student = {value},
                           .teacher = {first_value(self)}};
  const TrainStage stage{
      .options = {},
      .losses = {{}, {.kind = LossConfig::Kind::Divergence, .temperature = 2}, feature, feature}};
  const StudentFeatures features(student, stage);
  const std::vector<train::LossTerm> terms = make_losses(stage.losses, {}, self, features);
  ASSERT_EQ(terms.size(), 4U);
  EXPECT_EQ(terms[0].name, "cross_entropy");
  EXPECT_EQ(terms[2].name, "distil_l2");
  EXPECT_EQ(terms[3].name, "distil_l2_2");
  EXPECT_DOUBLE_EQ(terms[2].weight, 0.25);
  const data::Batch batch{.images = kit::random_tensor({2, 1, 28, 28}, 1),
                          .labels = kit::integers_of({0, 3}),
                          .indices = {}};
  exec::Program program = features.compile(student);
  program.set_training(false);
  const std::vector<Tensor> outputs = program.run(std::span(&batch.images, 1));
  const Tensor answer = exec::Program::compile(self, {}).run(std::span(&batch.images, 1)).at(0);
  EXPECT_NEAR(terms[1].function(outputs, batch).item<double>(),
              train::soft_label_divergence(outputs[0], answer, 2).item<double>(), 1e-5);
  EXPECT_GT(terms[2].function(outputs, batch).item<double>(), 0);
}

}  // namespace
}  // namespace espalier::recipe
