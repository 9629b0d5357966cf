#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/tensor/tensor.h"

namespace espalier::prune {

/// What a criterion looks at beside the weights of layers.
enum class Evidence {
  Weights,          ///< nothing else
  Scales,           ///< factors of normalizations, instead of weights
  Changes,          ///< first-order changes of the loss without each filter
  SquaredGradients  ///< mean of the squared gradient: the diagonal of the Fisher matrix
};

/// The filters of one layer as rows, float64.
struct FilterRows {
  Tensor weights;  ///< [filters, elements]; Scales: [channels, 1]
  /// SquaredGradients: the same sizes. Changes: [filters, parts], sum g w of each part of the
  /// images.
  Tensor gradients;
  std::uint64_t seed = 0;  ///< for criteria that draw
};

/// A measure of how much each filter of a layer matters; filters with small scores go first.
struct Criterion {
  std::string_view name;
  std::string_view summary;
  Evidence evidence = Evidence::Weights;
  /// Scores [filters], float64, at least 0.
  Tensor (*score)(const FilterRows& rows);
};

/// All criteria: l1, l2, fpgm, bn_scale, taylor, fisher, random.
[[nodiscard]] std::span<const Criterion> criteria();
[[nodiscard]] std::vector<std::string> criterion_names();
/// Throws UserError with a suggestion for an unknown name.
[[nodiscard]] const Criterion& find_criterion(std::string_view name);

}  // namespace espalier::prune
