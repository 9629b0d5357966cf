#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::zoo {

/// How a network for large images begins.
enum class Stem {
  ImageNet,  ///< as published: for 224 x 224
  Cifar      ///< without the first reductions, for about 32 x 32: docs/recipes.md
};

/// What can be chosen about a model. Zero means the family's own default.
struct ZooOptions {
  std::int64_t classes = 0;     ///< outputs of the classifier
  double scale = 1.0;           ///< width multiplier; families without one refuse any other value
  std::int64_t image_size = 0;  ///< height and width of the input
  std::int64_t channels = 0;    ///< of the input
  std::uint64_t seed = 0;       ///< of the initial weights
  Stem stem = Stem::ImageNet;   ///< families without a choice refuse Cifar
};

/// What the table says about a family.
struct Family {
  std::string name;
  std::string description;
  std::int64_t classes;  ///< defaults
  std::int64_t image_size;
  std::int64_t channels;
  bool scalable;  ///< has a width multiplier
  bool stems;     ///< has a form for small images
};

/// All families in the order of the table.
[[nodiscard]] const std::vector<Family>& families();

/// The model with fresh weights: input "image" [batch, channels, size, size], output "logits"
/// [batch, classes]. Throws UserError for an unknown name (with the nearest one) or an option out
/// of range.
[[nodiscard]] ir::Graph build(std::string_view name, const ZooOptions& options = {});

}  // namespace espalier::zoo
