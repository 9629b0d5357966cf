#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "espalier/ir/graph.h"
#include "espalier/prune/channel_map.h"
#include "espalier/prune/plan.h"
#include "espalier/tensor/shape.h"

namespace espalier::passes {

struct CheckCutOptions {
  std::uint64_t seed = 1;
  /// Of the graph that this one was cut from (prune::ChannelMap).
  std::optional<prune::CouplingChoices> earlier = std::nullopt;
  /// Draw parameters at random (draw_parameters.h), so that nothing hides a wrong cut; off: take
  /// the graph's own.
  bool draw = true;
  std::int64_t batch = 2;  ///< in place of an unknown dimension 0 of inputs
  /// In place of other unknown dimensions.
  tensor::OpenSizes unknown_size = {.height = 32, .width = 32};
  double limit64 = 1e-10;     ///< of difference64
  double limit32 = 1e-4;      ///< of difference32
  double least_wrong = 1e-3;  ///< of wrong_difference
  double least_share = 0.01;  ///< of weakest_share
};

/// max|d| / max|y| of the output where it is largest, over the elements that are not the same
/// infinity on both sides; infinite where sizes differ or other elements are not finite.
[[nodiscard]] double largest_difference(const std::vector<Tensor>& actual,
                                        const std::vector<Tensor>& expected);

/// What the comparison of a cut graph with a masked one gave. Differences are max|d| / max|y|, the
/// largest over the graph's outputs.
struct CutCheck {
  double difference64 = 0;  ///< computed in float64
  double difference32 = 0;  ///< computed in float32
  /// The same in float64 for a cut that is wrong on purpose: one weight keeps other input channels
  /// than the rest of the graph. Nothing when the plan cuts no weight that could be cut wrongly.
  std::optional<double> wrong_difference;
  /// The least contribution of an operand to an Add: rms(operand) / rms(sum); 1 without any.
  double weakest_share = 1;
  std::string weakest_node;  ///< the Add in question
  /// False when the masked graph itself, with drawn parameters, gives NaN: nothing was compared.
  bool is_number = true;
  bool passed = false;  ///< all of them within the limits of the options
};

/// Proves a plan by numbers: cut_channels and mask_channels of the same graph, run on the same
/// normal random inputs. Throws UserError when plan and graph do not fit, and UnsupportedError when
/// an operator of the graph cannot be run.
[[nodiscard]] CutCheck check_cut(const ir::Graph& graph, const prune::PrunePlan& plan,
                                 const CheckCutOptions& options = {});

}  // namespace espalier::passes
