#include "espalier/prune/cut_map.h"

#include <ATen/ops/index_select.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::prune {

CutMap cut_map_of(const Removal& removal, const ir::Graph& graph) {
  CutMap map;
  for (const ir::Value* initializer : graph.initializers()) {
    for (std::size_t axis = 0; axis < rank_of(initializer).value_or(0); ++axis) {
      if (!removal.cuts({initializer, axis})) continue;
      map[initializer->name()].push_back({.axis = static_cast<std::int64_t>(axis),
                                          .size = size_of({initializer, axis}),
                                          .kept = removal.kept({initializer, axis})});
    }
  }
  return map;
}

Tensor cut_tensor(const Tensor& tensor, const std::vector<AxisCut>& cuts, std::string_view name) {
  Tensor rest = tensor;
  for (const AxisCut& cut : cuts) {
    if (cut.axis >= tensor.dim() || tensor.size(cut.axis) != cut.size) {
      throw base::UserError({.what = fmt::format("cannot cut the tensor '{}'", name),
                             .where = fmt::format("axis {}", cut.axis),
                             .got = cut.axis >= tensor.dim()
                                        ? fmt::format("{} axes", tensor.dim())
                                        : fmt::format("size {}", tensor.size(cut.axis)),
                             .expected = fmt::format("size {}", cut.size)});
    }
    rest = at::index_select(rest, cut.axis, at::tensor(cut.kept, at::kLong).to(tensor.device()));
  }
  return rest.contiguous();
}

}  // namespace espalier::prune
