#pragma once

#include <map>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/prune/channel_map.h"
#include "espalier/tensor/tensor.h"

namespace espalier::prune {

/// First-order changes of the loss without a filter: by the axis of the filters, [filters, parts],
/// float64, one column for each part of the images. A change is that of a gate behind the filter
/// (Molchanov et al., CVPR 2019): sum g p over factor and offset of the BatchNormalization behind
/// it, or over weights and bias where there is none.
using FilterChanges = std::map<Axis, Tensor>;

/// Collects them part by part, so that no more than one set of gradients is held. The map must
/// outlive the collector.
class FilterChangeCollector {
 public:
  explicit FilterChangeCollector(const ChannelMap& map);

  /// Mean gradients of the next part of the images, by initializer; layers that are not among them
  /// get no changes. Throws UserError for a gradient of other sizes than its weight.
  void add(const exec::TensorMap& gradients);

  [[nodiscard]] FilterChanges take() const;

 private:
  std::map<Axis, std::vector<Axis>> parameters_;  ///< by the filters' axis of a weight
  std::map<Axis, std::vector<Tensor>> columns_;
};

}  // namespace espalier::prune
