#pragma once

#include "espalier/tensor/tensor.h"

namespace espalier::train {

/// @name What a student loses against its teacher
/// Differentiable scalars; the teacher's tensors carry no gradient. Logits have their classes on
/// axis 1; means are over the batch and, where there are more axes, over positions. Shapes of
/// student and teacher must be equal: UserError otherwise.
/// @{

/// T^2 * mean of sum(p * (log p - log q)) with p = softmax(teacher / T), q = softmax(student / T):
/// Hinton et al., 2015, arXiv:1503.02531. T^2 keeps the size of the gradient.
[[nodiscard]] Tensor soft_label_divergence(const Tensor& student, const Tensor& teacher,
                                           double temperature);

/// Mean of -sum(softmax(teacher / teacher_temperature) * log_softmax(student /
/// student_temperature)): PaddleSlim's soft label loss, and with both temperatures 1 the cross
/// entropy on the teacher's probabilities.
struct SoftLabelTemperatures {
  double student = 1;
  double teacher = 1;
};
[[nodiscard]] Tensor soft_label_loss(const Tensor& student, const Tensor& teacher,
                                     const SoftLabelTemperatures& temperatures);

/// Mean of (student - teacher)^2 over all elements.
[[nodiscard]] Tensor feature_distance(const Tensor& student, const Tensor& teacher);

/// Two feature maps of one network, [N, C, H, W] with equal N, H and W.
struct FeatureMaps {
  const Tensor& first;
  const Tensor& second;
};

/// Mean of (G(student) - G(teacher))^2, G = first^T second / (H * W), one number a pair of channels
/// (Yim et al., CVPR 2017: the flow of the solution procedure). The channels of student and teacher
/// must agree, height and width need not.
[[nodiscard]] Tensor flow_distance(const FeatureMaps& student, const FeatureMaps& teacher);

/// @}

}  // namespace espalier::train
