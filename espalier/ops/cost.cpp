#include "espalier/ops/cost.h"

#include <algorithm>
#include <map>
#include <unordered_set>
#include <vector>

#include "espalier/ops/einsum.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"

namespace espalier::ops {
namespace {

using Count = std::optional<std::int64_t>;
using Sizes = std::vector<std::int64_t>;

/// Sizes of an activation with the unknown batch taken as 1, or of any constant.
std::optional<Sizes> sizes_of(const ir::Value* value) {
  if (value == nullptr || !value->type().shape) return std::nullopt;
  tensor::Shape shape = *value->type().shape;
  if (!shape.empty() && !shape.front().known()) shape.front().size = 1;
  return tensor::known_sizes(shape);
}

Count product(std::initializer_list<Count> factors) {
  std::int64_t result = 1;
  for (const Count& factor : factors) {
    if (!factor || __builtin_mul_overflow(result, *factor, &result)) return std::nullopt;
  }
  return result;
}

Count elements(const std::optional<Sizes>& sizes, std::size_t from = 0) {
  if (!sizes) return std::nullopt;
  Count result = 1;
  for (std::size_t index = from; index < sizes->size(); ++index) {
    result = product({result, (*sizes)[index]});
  }
  return result;
}

/// Each output element takes C/g * k multiplications: the weight's elements behind axis 0.
Count convolution_macs(const ir::Node& node, const ir::Value* weight) {
  return product({elements(sizes_of(node.output())), elements(sizes_of(weight), 1)});
}

/// Each input element is multiplied with M/g * k weights.
Count transposed_macs(const ir::Node& node, const ir::Value* weight) {
  return product({elements(sizes_of(node.input(0))), elements(sizes_of(weight), 1)});
}

/// Output elements times the contracted size.
Count product_macs(const ir::Node& node, Count contracted) {
  return product({elements(sizes_of(node.output())), contracted});
}

/// One multiplication for every combination of the letters' sizes; of several operands, as if they
/// were multiplied at once. A single one is summed or moved.
Count einsum_macs(const ir::Node& node) {
  const auto equation = einsum_equation(node);
  if (!equation) return std::nullopt;
  if (equation->inputs.size() < 2) return 0;
  std::map<char, std::int64_t> sizes;
  for (std::size_t port = 0; port < equation->inputs.size(); ++port) {
    const auto shape = sizes_of(node.input(port));
    if (!shape) return std::nullopt;
    for (std::size_t axis = 0; axis < shape->size(); ++axis) {
      std::int64_t& size = sizes[equation->inputs[port][axis]];
      size = std::max(size, (*shape)[axis]);
    }
  }
  Count result = 1;
  for (const auto& [letter, size] : sizes) result = product({result, size});
  return result;
}

/// Size of one dimension, counted from the end when negative; never the assumed batch of 1.
Count dimension(const ir::Value* value, int index) {
  if (value == nullptr || !value->type().shape) return std::nullopt;
  const tensor::Shape& shape = *value->type().shape;
  const int place = index < 0 ? index + static_cast<int>(shape.size()) : index;
  if (place < 0 || place >= static_cast<int>(shape.size())) return std::nullopt;
  return shape[static_cast<std::size_t>(place)].size;
}

Count gemm_depth(const ir::Node& node) {
  return dimension(node.input(1), node.get_int("transB", 0) != 0 ? 1 : 0);
}

/// Last size of the left side or, where it is unknown, the size it meets on the right.
Count matmul_depth(const ir::Value* left, const ir::Value* right) {
  const Count depth = dimension(left, -1);
  if (depth || right == nullptr || !right->type().shape) return depth;
  return dimension(right, right->type().shape->size() == 1 ? 0 : -2);
}

}  // namespace

std::optional<std::int64_t> macs(const ir::Node& node) {
  const OpFacts* facts = find(node);
  if (facts == nullptr || facts->cost == CostRule::None) return 0;
  const ir::Value* weight =
      facts->weight == kNoPort ? nullptr : node.input(static_cast<std::size_t>(facts->weight));
  switch (facts->cost) {
    case CostRule::None:
      return 0;
    case CostRule::Convolution:
      return convolution_macs(node, weight);
    case CostRule::ConvTranspose:
      return transposed_macs(node, weight);
    case CostRule::Gemm:
      return product_macs(node, gemm_depth(node));
    case CostRule::Einsum:
      return einsum_macs(node);
    case CostRule::MatMul:
      return product_macs(node, matmul_depth(node.input(0), weight));
  }
  return std::nullopt;
}

TotalMacs total_macs(const ir::Graph& graph) {
  TotalMacs total;
  for (const ir::Node* node : graph.nodes()) {
    const auto count = macs(*node);
    if (!count || __builtin_add_overflow(total.macs, *count, &total.macs)) ++total.uncounted;
  }
  return total;
}

std::int64_t parameters(const ir::Graph& graph) {
  std::unordered_set<const ir::Value*> counted;
  std::int64_t total = 0;
  const auto count = [&](const ir::Value* constant) {
    if (constant != nullptr && counted.insert(constant).second) {
      total += constant->constant().numel();
    }
  };
  for (const ir::Node* node : graph.nodes()) {
    count(weight_initializer(*node));
    count(bias_initializer(*node));
    for (const std::size_t index : trainable_inputs(*node)) {
      count(initializer_behind(node->input(index)));
    }
  }
  return total;
}

}  // namespace espalier::ops
