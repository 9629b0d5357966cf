#include "espalier/train/distillation.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/softmax.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"
#include "espalier/tensor/shape.h"

namespace espalier::train {
namespace {

std::string shape_text(const Tensor& tensor) {
  return tensor::to_string(tensor::make_shape(tensor.sizes().vec()));
}

void check_same_shape(std::string_view what, const Tensor& student, const Tensor& teacher) {
  if (student.sizes() == teacher.sizes()) return;
  throw base::UserError(
      {.what = fmt::format("cannot compare {} of student and teacher", what),
       .got = fmt::format("shapes {} and {}", shape_text(student), shape_text(teacher)),
       .expected = "equal shapes"});
}

void check_logits(const Tensor& student, const Tensor& teacher) {
  check_same_shape("the outputs", student, teacher);
  base::check(student.dim() >= 2,
              "cannot compare the outputs of student and teacher: got {} dimensions, expected "
              "[N, classes, ...]",
              student.dim());
}

/// Sums over the classes, then the mean over everything else.
Tensor mean_over_samples(const Tensor& products) {
  return products.sum(1).mean();
}

Tensor flow(const FeatureMaps& maps) {
  const Tensor& first = maps.first;
  const Tensor& second = maps.second;
  const bool fit = first.dim() == 4 && second.dim() == 4 && first.size(0) == second.size(0) &&
                   first.size(2) == second.size(2) && first.size(3) == second.size(3);
  if (!fit) {
    throw base::UserError(
        {.what = "the flow between two feature maps needs equal sizes",
         .got = fmt::format("shapes {} and {}", shape_text(first), shape_text(second)),
         .expected = "[N, C, H, W] and [N, D, H, W]"});
  }
  const Tensor left = first.flatten(2);
  const Tensor right = second.flatten(2).transpose(1, 2);
  return at::bmm(left, right) / static_cast<double>(left.size(2));
}

}  // namespace

Tensor soft_label_divergence(const Tensor& student, const Tensor& teacher, double temperature) {
  check_logits(student, teacher);
  const Tensor log_target = at::log_softmax(teacher / temperature, 1);
  const Tensor log_own = at::log_softmax(student / temperature, 1);
  return mean_over_samples(log_target.exp() * (log_target - log_own)) * (temperature * temperature);
}

Tensor soft_label_loss(const Tensor& student, const Tensor& teacher,
                       const SoftLabelTemperatures& temperatures) {
  check_logits(student, teacher);
  const Tensor target = at::softmax(teacher / temperatures.teacher, 1);
  return -mean_over_samples(target * at::log_softmax(student / temperatures.student, 1));
}

Tensor feature_distance(const Tensor& student, const Tensor& teacher) {
  check_same_shape("features", student, teacher);
  return (student - teacher).square().mean();
}

Tensor flow_distance(const FeatureMaps& student, const FeatureMaps& teacher) {
  const Tensor own = flow(student);
  const Tensor target = flow(teacher);
  check_same_shape("flows", own, target);
  return (own - target).square().mean();
}

}  // namespace espalier::train
