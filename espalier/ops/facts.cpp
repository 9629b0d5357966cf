#include "espalier/ops/facts.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "espalier/ops/families.h"
#include "espalier/ops/weight.h"

namespace espalier::ops {
namespace {

using Key = std::pair<std::string_view, std::string_view>;

Key key_of(const OpFacts& facts) {
  return {facts.domain, facts.name};
}

std::vector<OpFacts> join_families() {
  std::vector<OpFacts> joined;
  for (const auto family : {activation_family(), control_family(), elementwise_family(),
                            linear_family(), movement_family(), normalization_family(),
                            pool_family(), quantize_family(), reduction_family(), shape_family()}) {
    joined.insert(joined.end(), family.begin(), family.end());
  }
  std::ranges::sort(joined, {}, key_of);
  return joined;
}

/// A limit of Clip: its input when constant, the fallback when left out, else nothing is known.
double clip_limit(const ir::Node& node, std::size_t index, double unknown) {
  const ir::Value* limit = node.input(index);
  if (limit == nullptr || !limit->is_initializer() || limit->constant().numel() != 1) {
    return unknown;
  }
  return limit->constant().item().toDouble();
}

}  // namespace

std::string_view to_string(OpKind kind) {
  constexpr std::array<std::string_view, 15> kNames{
      "Convolution",  "ConvTranspose", "MatMul", "Gemm",     "Normalization",
      "Activation",   "Unary",         "Binary", "Pool",     "Reduction",
      "DataMovement", "Resize",        "Shape",  "Quantize", "Opaque"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::span<const OpFacts> all() {
  static const std::vector<OpFacts> kAll = join_families();
  return kAll;
}

const OpFacts* find(std::string_view op, std::string_view domain) {
  const std::span<const OpFacts> table = all();
  const auto place = std::ranges::lower_bound(table, Key{domain, op}, {}, key_of);
  return place != table.end() && key_of(*place) == Key{domain, op} ? &*place : nullptr;
}

const OpFacts* find(const ir::Node& node) {
  const OpFacts* facts = find(node.op(), node.domain());
  return facts == nullptr || facts->kind == OpKind::Opaque ? nullptr : facts;
}

OpKind kind_of(const ir::Node& node) {
  const OpFacts* facts = find(node);
  return facts == nullptr ? OpKind::Opaque : facts->kind;
}

bool is_activation_input(const ir::Node& node, std::size_t index) {
  const OpFacts* facts = find(node);
  const ir::Value* value = node.input(index);
  return facts != nullptr && value != nullptr && contains(facts->data, index) &&
         initializer_behind(value) == nullptr;
}

bool passes_values(const ir::Node& node) {
  const OpFacts* facts = find(node);
  if (facts == nullptr || !facts->passes_values) return false;
  const AttributeCondition& when = facts->passes_when;
  if (!when.name.empty() && node.get_string(when.name, std::string(when.fallback)) != when.value) {
    return false;
  }
  if (facts->fill == kNoPort) return true;
  const ir::Value* fill = node.input(static_cast<std::size_t>(facts->fill));
  return fill == nullptr || (fill->is_initializer() && fill->constant().numel() == 1 &&
                             fill->constant().item().toDouble() == 0.0);
}

OutputRange output_range(const ir::Node& node) {
  const OpFacts* facts = find(node);
  if (facts == nullptr) return {};
  if (node.is("Clip")) {
    return {.low = clip_limit(node, 1, -kUnbounded), .high = clip_limit(node, 2, kUnbounded)};
  }
  return {.low = facts->low, .high = facts->high};
}

}  // namespace espalier::ops
