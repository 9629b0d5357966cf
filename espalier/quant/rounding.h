#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/quant/gram.h"
#include "espalier/quant/plan.h"

namespace espalier::quant {

struct RoundingOptions {
  GramOptions data = {};
  /// Memory for second moments; layers are taken in several runs over the samples where all
  /// together need more, and a layer that needs more alone keeps nearest rounding.
  std::uint64_t max_bytes = std::uint64_t{256} << 20;
  int sweeps = 12;  ///< over the elements of a row, at most
  int threads = 1;  ///< changes no bit
};

/// What the step did to one layer.
struct RoundedLayer {
  std::string node;
  double before = 0;  ///< mean squared error of the layer's outputs caused by its weights
  double after = 0;
};

struct RoundingReport {
  std::vector<RoundedLayer> layers;
  std::vector<std::string> left;  ///< layers that keep nearest rounding
};

/// Opens the calibration data from its beginning; called once a run over the samples.
using OpenSource = std::function<BatchSource()>;

/// Chooses for every weight element whether it is rounded up or down, so that the error of the
/// layer's outputs, (w - w')^T C (w - w') with C the covariance of its inputs, gets small:
/// coordinate descent from nearest rounding, each output channel by itself. The mean that is left
/// goes to the bias: b' = b + (w - w')^T E[x].
/// Writes WeightPlan::rounding and QuantPlan::bias_corrections; deterministic. Errors as collect.
RoundingReport optimize_rounding(const ir::Graph& prepared, QuantPlan& plan, const OpenSource& open,
                                 const RoundingOptions& options);

/// The rounding of one weight: for each element code minus nearest code (-1, 0, 1), row-major in
/// the weight's own layout, and what it does.
struct RowErrors {
  double before = 0;
  double after = 0;
};
[[nodiscard]] std::vector<std::int8_t> round_weight(const Tensor& weight,
                                                    const tensor::QuantParams& params, int axis,
                                                    const Tensor& covariance,
                                                    const RoundingOptions& options,
                                                    RowErrors& errors);

}  // namespace espalier::quant
