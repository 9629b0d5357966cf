#include "espalier/recipe/counted_macs.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/deploy/bench.h"
#include "espalier/exec/observe_shapes.h"
#include "espalier/onnx/shapes.h"
#include "espalier/ops/cost.h"

namespace espalier::recipe {
namespace {

/// A clone in which every size that follows from the sample's is known.
ir::Graph with_sizes(const ir::Graph& graph, const std::vector<Tensor>& sample) {
  ir::Graph sized = graph.clone();
  std::map<std::string, tensor::Shape> shapes;
  for (std::size_t index = 0; index < sample.size(); ++index) {
    shapes[sized.inputs()[index]->name()] = tensor::make_shape(sample[index].sizes().vec());
  }
  try {
    onnx::infer_shapes(sized, shapes);
  } catch (const base::UserError& error) {
    throw base::UserError(
        {.what = fmt::format("the model does not take inputs of [{}]",
                             fmt::join(sample.front().sizes(), ", ")),
         .got = error.what(),
         .hint = "it leaves its input's size open: give images with --data, or --image-size"});
  }
  const bool known = std::ranges::all_of(
      sized.nodes(), [](const ir::Node* node) { return ops::macs(*node).has_value(); });
  if (known) return sized;
  try {
    exec::observe_shapes(sized, sample);
  } catch (const base::UnsupportedError&) {
    // An operator that cannot be run: what stays unknown is named by the caller.
  }
  return sized;
}

}  // namespace

bool has_open_sizes(const ir::Graph& graph) {
  return std::ranges::any_of(graph.inputs(), [](const ir::Value* input) {
    const auto& shape = input->type().shape;
    return shape && shape->size() > 1 &&
           std::any_of(shape->begin() + 1, shape->end(),
                       [](const tensor::Dim& dim) { return !dim.known(); });
  });
}

std::vector<Tensor> sample_of_size(const ir::Graph& graph, std::int64_t size) {
  return deploy::random_inputs(graph, /*batch=*/1, {size, size}, /*seed=*/0);
}

CountedMacs count_macs(const ir::Graph& graph, const std::vector<Tensor>& sample) {
  const ir::Graph sized = with_sizes(graph, sample);
  CountedMacs counted;
  for (const ir::Node* node : sized.nodes()) {
    const auto macs = ops::macs(*node);
    counted.macs.push_back(macs.value_or(0));
    if (!macs) counted.uncounted.push_back(node->name());
  }
  return counted;
}

void check_counted(const CountedMacs& counted, prune::BudgetKind kind) {
  if (kind != prune::BudgetKind::Macs || counted.uncounted.empty()) return;
  constexpr std::size_t kNamed = 5;
  const auto end = counted.uncounted.begin() +
                   static_cast<std::ptrdiff_t>(std::min(kNamed, counted.uncounted.size()));
  throw base::UserError(
      {.what = "the multiply-accumulates of some layers cannot be counted",
       .got = fmt::format("no sizes of '{}'{}", fmt::join(counted.uncounted.begin(), end, "', '"),
                          counted.uncounted.size() > kNamed ? " and others" : ""),
       .hint = "give a budget of parameters, bytes or filters"});
}

}  // namespace espalier::recipe
