#include "espalier/prune/criterion.h"

#include <algorithm>
#include <array>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cdist.h>
#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/base/random.h"

namespace espalier::prune {
namespace {

/// sum |w|: Li et al., "Pruning filters for efficient ConvNets", ICLR 2017.
Tensor l1_score(const FilterRows& rows) {
  return rows.weights.abs().sum(1);
}

/// sqrt(sum w^2).
Tensor l2_score(const FilterRows& rows) {
  return rows.weights.square().sum(1).sqrt();
}

/// sum over j of |w_i - w_j|: filters near the geometric median of a layer can be replaced by the
/// others (He et al., "Filter pruning via geometric median", CVPR 2019).
Tensor fpgm_score(const FilterRows& rows) {
  // Difference by difference, which is exact for equal filters; only the first Gemm of a VGG is so
  // large that distances must come from a matrix product.
  constexpr double kMostDifferences = 2e10;
  const double differences =
      static_cast<double>(rows.weights.numel()) * static_cast<double>(rows.weights.size(0));
  const std::int64_t by_product = differences > kMostDifferences ? 1 : 2;
  return at::cdist(rows.weights, rows.weights, 2.0, by_product).sum(1);
}

/// |gamma|: Liu et al., "Learning efficient convolutional networks through network slimming", ICCV
/// 2017.
Tensor scale_score(const FilterRows& rows) {
  return rows.weights.abs().sum(1);
}

/// E[(sum g w)^2] over parts of the images, the squared first-order change of the loss without the
/// filter: Molchanov et al., "Importance estimation for neural network pruning", CVPR 2019. The
/// mean of the squares, and not the square of the mean, which is next to nothing in a trained
/// network.
Tensor taylor_score(const FilterRows& rows) {
  return rows.gradients.square().mean(1);
}

/// sum F w^2 / 2, the second-order change with the Fisher matrix's diagonal as curvature: Theis et
/// al., "Faster gaze prediction with dense networks and Fisher pruning", 2018.
Tensor fisher_score(const FilterRows& rows) {
  return (rows.gradients * rows.weights.square()).sum(1) * 0.5;
}

Tensor random_score(const FilterRows& rows) {
  base::Random random(rows.seed);
  Tensor scores = at::empty({rows.weights.size(0)}, at::kDouble);
  auto* data = scores.data_ptr<double>();
  for (std::int64_t index = 0; index < scores.numel(); ++index) data[index] = random.uniform();
  return scores;
}

constexpr std::array kCriteria{
    Criterion{"l1", "sum of magnitudes", Evidence::Weights, l1_score},
    Criterion{"l2", "root of the sum of squares", Evidence::Weights, l2_score},
    Criterion{"fpgm", "distance to the other filters of the layer", Evidence::Weights, fpgm_score},
    Criterion{"bn_scale", "factor of the normalization", Evidence::Scales, scale_score},
    Criterion{"taylor", "first-order change of the loss", Evidence::Changes, taylor_score},
    Criterion{"fisher", "second-order change of the loss", Evidence::SquaredGradients,
              fisher_score},
    Criterion{"random", "a random number", Evidence::Weights, random_score},
};

}  // namespace

std::span<const Criterion> criteria() {
  return kCriteria;
}

std::vector<std::string> criterion_names() {
  std::vector<std::string> names;
  for (const Criterion& criterion : kCriteria) names.emplace_back(criterion.name);
  return names;
}

const Criterion& find_criterion(std::string_view name) {
  const auto place = std::ranges::find(kCriteria, name, &Criterion::name);
  if (place != kCriteria.end()) return *place;
  throw base::UserError({.what = "unknown pruning criterion",
                         .got = fmt::format("'{}'", name),
                         .hint = base::suggest_name(name, criterion_names())});
}

}  // namespace espalier::prune
