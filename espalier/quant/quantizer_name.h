#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace espalier::quant {

/// What a quantizer is for.
enum class QuantizerRole { Weight, Activation };

/// A quantizer by the name that users write (PaddleSlim's where it has one): it chooses how
/// parameters are found while training; sign and zero point are the target's choice.
struct QuantizerName {
  std::string_view name;
  QuantizerRole role = QuantizerRole::Activation;
  std::string_view estimator;  ///< attribute of FakeQuantize nodes (ops/estimator.h)
  bool per_channel = false;
};

/// The closed table: weights abs_max, channel_wise_abs_max, lsq_weight, channel_wise_lsq_weight;
/// activations abs_max, range_abs_max, moving_average_abs_max, moving_average_min_max, pact,
/// lsq_act, lsqplus_act. "lsq" means channel_wise_lsq_weight and lsq_act, "lsq_plus" lsqplus_act.
[[nodiscard]] std::span<const QuantizerName> quantizer_names();

/// The row of a name in a role. Throws UserError with a suggestion for an unknown name, and says so
/// when the name belongs to the other role.
[[nodiscard]] const QuantizerName& find_quantizer(std::string_view name, QuantizerRole role);

/// Names of a role, for help texts.
[[nodiscard]] std::vector<std::string> quantizer_names_of(QuantizerRole role);

}  // namespace espalier::quant
