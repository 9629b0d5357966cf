#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/tensor/dtype.h"
#include "espalier/tensor/tensor.h"

namespace espalier::train {

/// The model's inputs, by position, for the next images; an empty list ends them.
using NextInputs = std::function<std::vector<Tensor>()>;

struct ReestimateOptions {
  std::int64_t images = 0;                       ///< at most, whole batches; 0: all
  tensor::DType dtype = tensor::DType::Float32;  ///< of the computation; sums are in double
};

/// What was done.
struct ReestimateResult {
  std::int64_t norms = 0;  ///< BatchNormalization nodes with new statistics; 0: there are none
  std::int64_t images = 0;
};

/// Computes running mean and variance of every BatchNormalization anew, for weights that have
/// changed since training (Li et al., EagleEye, ECCV 2020, "adaptive batch normalization").
///
/// One pass over the images. Every BatchNormalization normalizes by the statistics of its batch, as
/// in training: what a later one sees does not depend on the old statistics of an earlier one, so
/// one pass is enough. Dropout is off. Batches should be as large as those of training: small ones
/// add noise to what later layers see.
/// Formula  mean = sum_b n_b mean_b / N,  var = sum_b n_b (var_b + (mean_b - mean)^2) / N
///          (law of total variance: exact over all images, no moving average), N counting images
///          and positions. The variance is the population's (divided by N), as ONNX defines
///          running_var and Espalier trains it; PyTorch divides by N - 1.
/// Deterministic for the same batches and threads. Nodes that share statistics pool their inputs.
/// A graph without BatchNormalization stays as it is, and no image is asked for.
/// Throws UserError when there are no images, when a channel has a single number, and for values
/// that are not finite (the node is named; the graph stays as it was); UnsupportedError for
/// statistics that are not initializers; Interrupted.
ReestimateResult reestimate_norms(ir::Graph& graph, const NextInputs& next,
                                  const ReestimateOptions& options = {});

/// Nodes that reestimate_norms would give new statistics.
[[nodiscard]] std::int64_t count_norms(const ir::Graph& graph);

}  // namespace espalier::train
