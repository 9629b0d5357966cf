#include "espalier/train/teacher.h"

#include <cmath>

#include <ATen/core/grad_mode.h>

#include "espalier/base/check.h"
#include "espalier/train/class_scores.h"

namespace espalier::train {
namespace {

void check_temperature(double temperature) {
  base::check(std::isfinite(temperature) && temperature > 0,
              "temperature of a distillation: got {}, expected a number above 0", temperature);
}

}  // namespace

Teacher::Teacher(const ir::Graph& graph, const std::vector<std::string>& features)
    : program_(exec::Program::compile(graph, {.taps = features})),
      probabilities_(gives_probabilities(graph)) {}

const Teacher::Answer& Teacher::answer(const data::Batch& batch) {
  if (images_.defined() && images_.is_same(batch.images)) return answer_;
  const at::NoGradGuard no_gradients;
  Answer answer;
  const auto keep = [&](std::string_view name, const Tensor& tensor) {
    answer.features.insert_or_assign(std::string(name), tensor);
  };
  const std::vector<Tensor> outputs = program_.run(std::span(&batch.images, 1), keep);
  answer.output = class_logits(outputs.at(0), probabilities_);
  answer_ = std::move(answer);
  images_ = batch.images;
  return answer_;
}

LossTerm distil_divergence(std::shared_ptr<Teacher> teacher, double temperature,
                           bool probabilities) {
  check_temperature(temperature);
  return {.name = "distil_kl",
          .function = [teacher = std::move(teacher), temperature, probabilities](
                          std::span<const Tensor> outputs, const data::Batch& batch) {
            return soft_label_divergence(class_logits(outputs[0], probabilities),
                                         teacher->answer(batch).output, temperature);
          }};
}

LossTerm distil_soft_label(std::shared_ptr<Teacher> teacher,
                           const SoftLabelTemperatures& temperatures, bool probabilities) {
  check_temperature(temperatures.student);
  check_temperature(temperatures.teacher);
  return {.name = "distil_soft_label",
          .function = [teacher = std::move(teacher), temperatures, probabilities](
                          std::span<const Tensor> outputs, const data::Batch& batch) {
            return soft_label_loss(class_logits(outputs[0], probabilities),
                                   teacher->answer(batch).output, temperatures);
          }};
}

LossTerm distil_feature(std::shared_ptr<Teacher> teacher, const FeaturePair& pair) {
  return {.name = "distil_l2",
          .function = [teacher = std::move(teacher), pair](std::span<const Tensor> outputs,
                                                           const data::Batch& batch) {
            return feature_distance(outputs[pair.student_output],
                                    teacher->answer(batch).features.at(pair.teacher));
          }};
}

LossTerm distil_flow(std::shared_ptr<Teacher> teacher, const FeaturePair& first,
                     const FeaturePair& second) {
  return {.name = "distil_fsp",
          .function = [teacher = std::move(teacher), first, second](std::span<const Tensor> outputs,
                                                                    const data::Batch& batch) {
            const exec::TensorMap& features = teacher->answer(batch).features;
            return flow_distance(
                {.first = outputs[first.student_output], .second = outputs[second.student_output]},
                {.first = features.at(first.teacher), .second = features.at(second.teacher)});
          }};
}

}  // namespace espalier::train
