#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "espalier/passes/pass.h"
#include "espalier/quant/plan.h"

namespace espalier::passes {

/// How the parameters of a quantizer are found in training.
struct EstimatorChoice {
  std::string estimator;     ///< a row of ops::estimators(); empty: they stay as they are
  bool per_channel = false;  ///< weights: one scale an output channel
};

/// Other quantizers for the layers whose name or operator matches a glob.
struct EstimatorRule {
  std::string pattern;
  std::optional<EstimatorChoice> weights = std::nullopt;      ///< nothing: a later rule may choose
  std::optional<EstimatorChoice> activations = std::nullopt;  ///< of what the layer reads
};

/// BatchNormalization behind a quantized layer while it is trained.
enum class BatchNormForm {
  /// It stays as it is, behind the layer whose unfolded weight is quantized.
  Live,
  /// The weight is scaled by gamma / sqrt(running variance + epsilon) before it is quantized, and
  /// the result scaled back before it is normalized: the folded weight is trained as it will be
  /// shipped, with the batch's statistics correcting the running ones (Krishnamoorthi,
  /// arXiv:1806.08342, 3.2.3). Once the program freezes BatchNormalization both scalings cancel.
  Folded
};

struct TrainingQuantizers {
  EstimatorChoice weights{.estimator = "abs_max", .per_channel = true};
  EstimatorChoice activations{.estimator = "moving_average_abs_max"};
  std::vector<EstimatorRule> rules = {};  ///< the first that chooses decides
  float rate = 0.9F;                      ///< of moving averages: the share that stays
  std::int64_t window = 10000;            ///< of range_abs_max, in batches
  BatchNormForm batch_norm = BatchNormForm::Live;
};

/// Makes the graph that quantization-aware training trains from a plan: its placement, and its
/// parameters as the start.
///
/// Before   z = BatchNormalization(Conv(x, W))
/// After    x' = FakeQuantize(x, scale, zero_point, state), estimator as chosen, role "activation"
///          W' = FakeQuantize(W, scale / |a|, 0), estimator as chosen, role "weight"
///          z = BatchNormalization(Conv(x', W')),  a = gamma / sqrt(variance + epsilon)
/// Folded   f = gamma / sqrt(variance + epsilon), computed in the graph
///          W' = FakeQuantize(W * f, scale, 0)
///          z = BatchNormalization(Conv(x', W') / f)
///
/// A layer for which the plan's target wants one scale (ConvTranspose) is folded in either form;
/// one with a gamma of zero, whose channel could not be scaled back, in neither.
///
/// Values that share one scale have one quantizer (merge_shared_quantizers.h).
///
/// The graph comes from prepare_for_training and is the one from which the plan's graph was made.
/// The plan chooses bits, sign and zero point. Estimators of magnitudes take the zero point qmin
/// where the calibrated range is not negative, else the middle code; on signed grids moving minimum
/// and maximum and learned offsets keep the zero point 0 (lsq_plus is lsq there). Constants that
/// are no layer's weight keep fixed parameters. Throws UserError when the plan is of another model
/// or a rule matches nothing; warns of a gamma of zero with the folded form.
[[nodiscard]] Pass insert_training_quantizers(const quant::QuantPlan& plan,
                                              const TrainingQuantizers& options);

/// What can be said of rules before there is a plan: throws UserError for one that matches no node
/// of the graph.
void check_estimator_rules(const ir::Graph& graph, const std::vector<EstimatorRule>& rules);

}  // namespace espalier::passes
