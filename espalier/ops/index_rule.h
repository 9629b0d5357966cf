#pragma once

#include <span>
#include <string_view>

#include "espalier/ir/node.h"
#include "espalier/ops/facts.h"

namespace espalier::ops {

/// How the positions along the axes of a node's outputs correspond to positions along the axes of
/// its inputs: what channel pruning must know of an operator. "Fixed" axes cannot lose positions.
enum class IndexRule {
  Elementwise,      ///< output [i] reads inputs [i], with broadcasting
  PerChannel,       ///< elementwise on input 0; `ports` are vectors along axis 1
  PerAxis,          ///< elementwise on input 0; `ports` are vectors along attribute `axis` (1)
  Convolution,      ///< input channels x weight -> output channels, by groups
  ConvTranspose,    ///< the same with the weight's first two axes exchanged
  Gemm,             ///< rows x columns, transposed by attributes
  MatMul,           ///< rows x columns, batch axes broadcast
  Einsum,           ///< axes with equal labels correspond
  Window,           ///< axes 0 and 1 kept, the others slide under a window
  GlobalWindow,     ///< axes 0 and 1 kept, the others disappear
  Unpool,           ///< Window with positions as second input
  Resample,         ///< axes of equal size kept, the others resampled
  GridSample,       ///< axes 0 and 1 of input 0 kept, the grid fixed
  ReduceSum,        ///< reduced axes: positions that hold zero contribute nothing
  ReduceFixed,      ///< reduced axes: every position counts
  AlongAxis,        ///< all axes kept, the one of attribute `axis` (-1) fixed
  SelectAlongAxis,  ///< the axis of attribute `axis` fixed and replaced by positions or a choice
  ZeroNeutralAxis,  ///< all axes kept; along one axis positions that hold zero do not count
  TrailingAxes,     ///< all axes kept, those from attribute `axis` (-1) on fixed
  ListedAxes,       ///< all axes kept, those of attribute `axes` fixed
  AcrossChannels,   ///< all axes kept, axis 1 fixed
  ChannelGroups,    ///< all axes kept, axis 1 in `num_groups` blocks that stay whole
  Transpose,        ///< axes in another order
  Reshape,          ///< the same elements in row-major order under another shape
  Concat,           ///< inputs one behind another along attribute `axis`
  Split,            ///< the inverse
  Slice,            ///< a regular selection along some axes
  Pad,              ///< a border along some axes
  Gather,           ///< a selection along attribute `axis`
  Expand,           ///< axes of size 1 repeated
  Tile,             ///< axes repeated
  DepthToSpace,     ///< blocks of channels become blocks of pixels
  SpaceToDepth,     ///< the inverse
  Size,             ///< gives the shape as a tensor
  Generator,        ///< outputs come from shapes or constants: fixed
  Veto              ///< no rule: every axis of every input and output is fixed
};

/// The rule of one operator.
struct IndexRuleRow {
  std::string_view name;
  IndexRule rule = IndexRule::Veto;
  /// Inputs the rule speaks of, where it names `ports`; Elementwise: those that broadcast.
  PortSet ports = kAllPorts;
  /// Why axes are fixed, completing "cannot be cut: ...".
  std::string_view reason = {};
  std::string_view domain = {};
};

/// The rule of a node's operator; null for operators outside the table (find() is null too).
[[nodiscard]] const IndexRuleRow* find_index_rule(const ir::Node& node);
[[nodiscard]] const IndexRuleRow* find_index_rule(std::string_view op,
                                                  std::string_view domain = {});

/// One row for every operator of all(), by domain and name.
[[nodiscard]] std::span<const IndexRuleRow> index_rules();

}  // namespace espalier::ops
