#pragma once

#include <string>
#include <vector>

#include "espalier/passes/pass.h"

namespace espalier::passes {

/// The white paper's training form of layers with BatchNormalization (Krishnamoorthi,
/// arXiv:1806.08342, 3.2.3): what is quantized is the folded weight.
///
/// Before   y = Conv(x, FakeQuantize(W, s, 0), b)     z = BatchNormalization(y, gamma, beta, m, v)
/// After    f = gamma / sqrt(v + epsilon)
///          y = Conv(x, FakeQuantize(W * f, s, 0))   z = BatchNormalization(y / f, gamma, beta,
///                                                                         m - b, v)
/// Conditions: has_correctable_norm, and a weight of the role "weight" that nothing else reads. `v`
/// is the running variance, so f follows it slowly while BatchNormalization corrects by the
/// batch's; with frozen BatchNormalization the layer computes exactly Conv(x, FakeQuantize(W * f))
/// + (beta - m f). Throws UserError where a gamma is zero: its channel could not be scaled back.
[[nodiscard]] Pass correct_folded_weights();
/// The same for the layers of these names alone.
[[nodiscard]] Pass correct_folded_weights(std::vector<std::string> layers);

/// True for Conv, Gemm and ConvTranspose without groups, with a constant bias or none and
/// BatchNormalization behind them.
[[nodiscard]] bool has_correctable_norm(const ir::Node& layer);

}  // namespace espalier::passes
