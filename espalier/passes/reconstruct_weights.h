#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/prune/cut_map.h"
#include "espalier/tensor/tensor.h"

namespace espalier::passes {

struct ReconstructOptions {
  std::int64_t positions = 32;  ///< output positions looked at, for each image and layer
  double ridge = 1e-4;     ///< pull towards the present weights, in units of the mean square input
  std::uint64_t seed = 0;  ///< of the positions
  /// Memory for the equations of one layer; a layer that needs more is skipped.
  std::uint64_t max_bytes = std::uint64_t{2} << 30;
};

/// Distance of a layer's output from the one it should have, relative to that one's size (norms
/// over the positions that were looked at).
struct LayerReconstruction {
  std::string node;
  double error_before = 0;
  double error_after = 0;
};

/// A layer that kept its weight although its input changed.
struct NotReconstructed {
  std::string node;
  std::string reason;
};

struct ReconstructResult {
  std::vector<LayerReconstruction> layers = {};
  std::vector<NotReconstructed> skipped = {};
};

/// Gives the layers behind a cut the weights with which they come nearest to what they computed
/// before it (He et al., "Channel pruning for accelerating very deep neural networks", ICCV 2017;
/// Luo et al., ThiNet, ICCV 2017).
///
/// Before   y = Conv(x, W, b), x changed by the cut
/// After    y = Conv(x, W', b'), likewise Gemm and MatMul with a constant right side
/// Formula  (W', b') = argmin sum_p |y_p - (W x_p + b)|^2 + r |(W, b) - (W0, b0)|^2, where x_p is
///          the patch of the cut network at a drawn position and y_p the output of the network
///          before the cut there; r = ridge * mean square of the patches' elements * positions.
///          Where the layer's output is only added to another value, y_p is the sum before the cut
///          less that value: the layer then also makes up for what the other side lost.
/// In graph order, so that each layer sees its input as those before it now give it; sums in
/// double. Layers that the cut leaves alone stay as they are, and so do those named in `skipped`:
/// computed or shared weights, transposed and not two-dimensional convolutions. `cuts` is the way
/// from `original` to `graph` (a masked graph has none); `batches` holds the inputs of the graph by
/// position. Throws UserError without batches; Interrupted.
ReconstructResult reconstruct_weights(ir::Graph& graph, const ir::Graph& original,
                                      const prune::CutMap& cuts,
                                      const std::vector<std::vector<Tensor>>& batches,
                                      const ReconstructOptions& options = {});

}  // namespace espalier::passes
