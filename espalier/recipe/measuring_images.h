#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/data/dataset.h"
#include "espalier/data/sample.h"
#include "espalier/ir/graph.h"
#include "espalier/recipe/data_yaml.h"
#include "espalier/tensor/tensor.h"

namespace espalier::recipe {

/// Images that choices are made by: never those of the split that judges the result.
struct MeasuringImages {
  std::vector<Tensor> batches = {};  ///< inputs of the model; all but the last of one size
  std::vector<Tensor> labels = {};   ///< int64, by batch; -1 without a label
  std::int64_t images = 0;
  std::int64_t labelled = 0;
  std::string description = {};  ///< "2000 of 45000 images of the training split, seed 0"
  std::string id = {};           ///< content id of images and labels
  /// Further images of the same split, disjoint from the others, for re-estimation: as training
  /// sees them, with its random transforms, unless they change the size.
  std::vector<Tensor> further = {};
};

struct MeasuringOptions {
  std::int64_t samples = 2000;
  std::uint64_t seed = 0;
  std::int64_t batch = 20;   ///< images; a size that the model's file fixes comes first
  std::int64_t further = 0;  ///< images for `further`, at most
};

/// Reads `samples` images that the seed draws, and holds them in memory: from the evaluation split
/// when there is a test split that judges, else from the training split, with the transforms of
/// the evaluation split where the training ones are random. Throws UserError when images and model
/// do not fit, and when there are too few.
[[nodiscard]] MeasuringImages read_measuring_images(const DataSplits& splits,
                                                    const ir::Graph& graph,
                                                    const MeasuringOptions& options);

/// Labelled images for criteria that look at gradients: those of the same split that come next in
/// the order that the seed draws, at most 512, so that none of them measures. Throws UserError when
/// there are none.
[[nodiscard]] std::vector<data::Batch> read_gradient_images(const DataSplits& splits,
                                                            const ir::Graph& graph,
                                                            const MeasuringOptions& options);

}  // namespace espalier::recipe
