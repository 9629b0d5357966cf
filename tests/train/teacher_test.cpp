#include "espalier/train/teacher.h"

#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/tensors.h"
#include "tests/train/synthetic_task.h"

namespace espalier::train {
namespace {

data::Batch batch(std::uint64_t seed) {
  return {.images = kit::random_tensor({4, 1, 8, 8}, seed),
          .labels = at::full({4}, -1, at::kLong),
          .indices = {}};
}

/// The value that the node of this name gives.
std::string output_of(const ir::Graph& graph, const std::string& node) {
  return graph.find_node(node)->output()->name();
}

TEST(Teacher, AnswersAsTheNetworkEvaluates) {
  const ir::Graph graph = synthetic_model(3);
  const std::string feature = output_of(graph, "conv");
  Teacher teacher(graph, {feature});
  const data::Batch images = batch(1);
  const exec::Program reference = exec::Program::compile(graph, {.taps = {feature}});
  Tensor expected;
  const std::vector<Tensor> outputs =
      reference.run(std::span(&images.images, 1),
                    [&](std::string_view, const Tensor& tensor) { expected = tensor.clone(); });
  const Teacher::Answer& answer = teacher.answer(images);
  EXPECT_THAT(answer.output, kit::IsCloseTo(outputs[0]));
  EXPECT_FALSE(answer.output.requires_grad());
  EXPECT_THAT(answer.features.at(feature), kit::IsCloseTo(expected));
}

TEST(Teacher, RunsOnceABatch) {
  Teacher teacher(synthetic_model(3), {});
  const data::Batch one = batch(1);
  const Tensor first = teacher.answer(one).output;
  EXPECT_TRUE(teacher.answer(one).output.is_same(first));
  const data::Batch two = batch(2);
  EXPECT_NE(kit::bit_difference(teacher.answer(two).output, first), "");
  EXPECT_THAT(teacher.answer(one).output, kit::HasSameBits(first));
}

TEST(Teacher, TermsSpeakOfStudentAndTeacher) {
  const ir::Graph graph = synthetic_model(3);
  const std::string feature = output_of(graph, "conv");
  const auto teacher = std::make_shared<Teacher>(graph, std::vector<std::string>{feature});
  const data::Batch images = batch(1);
  const Tensor logits = kit::random_tensor({4, 4}, 5).requires_grad_(true);
  const Tensor maps = kit::random_tensor({4, 6, 4, 4}, 6).requires_grad_(true);
  const std::vector<Tensor> outputs{logits, maps};
  const Teacher::Answer& answer = teacher->answer(images);
  const Tensor target = answer.features.at(feature);
  const auto value = [&](const LossTerm& term) {
    return term.function(outputs, images).item<double>();
  };
  EXPECT_DOUBLE_EQ(value(distil_divergence(teacher, 3)),
                   soft_label_divergence(logits, answer.output, 3).item<double>());
  EXPECT_DOUBLE_EQ(value(distil_soft_label(teacher, {.student = 2})),
                   soft_label_loss(logits, answer.output, {.student = 2}).item<double>());
  const FeaturePair pair{.student_output = 1, .teacher = feature};
  EXPECT_DOUBLE_EQ(value(distil_feature(teacher, pair)),
                   feature_distance(maps, target).item<double>());
  EXPECT_DOUBLE_EQ(value(distil_flow(teacher, pair, pair)),
                   flow_distance({maps, maps}, {target, target}).item<double>());
  distil_feature(teacher, pair).function(outputs, images).backward();
  EXPECT_TRUE(maps.grad().defined());
}

TEST(Teacher, OutputsThatAreProbabilitiesAreComparedAsSuch) {
  const ir::Graph graph = synthetic_model(3);
  ir::Graph ending = graph.clone();
  ir::Node& softmax = ending.add_node({.op = "Softmax",
                                       .inputs = {ending.outputs()[0]},
                                       .outputs = {"probabilities"},
                                       .attributes = {{"axis", std::int64_t{1}}},
                                       .name = "softmax"});
  softmax.output()->set_type(ending.outputs()[0]->type());
  ending.set_output(0, *softmax.output());
  const auto teacher = std::make_shared<Teacher>(graph, std::vector<std::string>{});
  const auto sure = std::make_shared<Teacher>(ending, std::vector<std::string>{});
  const data::Batch images = batch(1);
  const std::vector<Tensor> logits{kit::random_tensor({4, 4}, 5)};
  const std::vector<Tensor> probabilities{logits[0].softmax(1)};
  const auto close = [&](const LossTerm& term, const LossTerm& reference) {
    EXPECT_THAT(term.function(probabilities, images),
                kit::IsCloseTo(reference.function(logits, images)));
  };
  close(distil_divergence(sure, 3, true), distil_divergence(teacher, 3));
  close(distil_soft_label(sure, {.student = 2, .teacher = 2}, true),
        distil_soft_label(teacher, {.student = 2, .teacher = 2}));
}

TEST(Teacher, SelfDistillationNeedsNoLabels) {
  // A student that starts elsewhere comes nearer to its teacher, on images without labels.
  class Unlabelled final : public BatchSource {
   public:
    [[nodiscard]] std::int64_t batches_per_epoch() const override { return 6; }
    void start(SourcePosition position) override { position_ = position; }
    [[nodiscard]] std::optional<data::Batch> next() override {
      if (position_.offset == 6) return std::nullopt;
      return batch(static_cast<std::uint64_t>(position_.offset++));
    }
    [[nodiscard]] SourcePosition position() const override { return position_; }

   private:
    SourcePosition position_;
  };
  const auto teacher = std::make_shared<Teacher>(synthetic_model(3), std::vector<std::string>{});
  const ir::Graph graph = synthetic_model(4);
  exec::Program program = exec::Program::compile(graph, {.mode = exec::Mode::Training});
  Unlabelled source;
  Unlabelled evaluation;
  TrainOptions options = synthetic_options();
  options.epochs = 5;
  options.best_metric = "loss";
  const TrainResult result = train({.graph = graph,
                                    .program = program,
                                    .data = source,
                                    .evaluation = &evaluation,
                                    .losses = {distil_divergence(teacher, 2)}},
                                   options);
  EXPECT_LT(result.state.history.back().evaluation.at("loss"),
            0.8 * result.state.history.front().evaluation.at("loss"));
}

TEST(Teacher, RefusesUnknownFeaturesAndBadTemperatures) {
  kit::expect_user_error([] { Teacher(synthetic_model(3), {"nothing"}); },
                         "cannot tap a value that the model does not have: got 'nothing'");
  kit::expect_user_error([] { (void)distil_divergence(nullptr, 0); },
                         "temperature of a distillation: got 0, expected a number above 0");
  kit::expect_user_error([] { (void)distil_soft_label(nullptr, {.teacher = -1}); },
                         "temperature of a distillation: got -1");
}

}  // namespace
}  // namespace espalier::train
