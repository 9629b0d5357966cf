#include "espalier/deploy/integer_share.h"

#include <algorithm>
#include <array>
#include <map>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/ops/cost.h"
#include "espalier/ops/facts.h"

namespace espalier::deploy {
namespace {

using LayersOfNode = std::map<std::string_view, std::vector<const EngineLayer*>>;

std::int64_t count_macs(const ir::Node& node) {
  const auto macs = ops::macs(node);
  if (!macs) {
    throw base::UserError({.what = "cannot count multiply-accumulates",
                           .where = node.label(),
                           .got = "a shape with unknown sizes",
                           .hint = "give the model's inputs fixed sizes, apart from the batch"});
  }
  return *macs;
}

MacNode attribute(const ir::Node& node, const LayersOfNode& layers) {
  MacNode result{.name = node.name(), .op = node.op(), .macs = count_macs(node)};
  const auto place = layers.find(node.name());
  if (place == layers.end()) return result;
  const EngineLayer* chosen = nullptr;
  bool all_integer = true;
  for (const EngineLayer* layer : place->second) {
    if (!does_macs(*layer)) continue;
    if (chosen == nullptr) chosen = layer;
    all_integer = all_integer && layer->integer;
    result.milliseconds += layer->milliseconds;
  }
  result.integer = chosen != nullptr && all_integer;
  const EngineLayer& named = chosen == nullptr ? *place->second.front() : *chosen;
  result.layer = fmt::format("{} '{}'", named.type, named.name);
  return result;
}

}  // namespace

bool does_macs(const EngineLayer& layer) {
  static constexpr std::array<std::string_view, 5> kWords = {"Conv", "Gemm", "MatMul",
                                                             "FullyConnected", "Deconv"};
  return std::ranges::any_of(
      kWords, [&](std::string_view word) { return layer.type.find(word) != std::string::npos; });
}

IntegerShare attribute_macs(const ir::Graph& exported, std::span<const EngineLayer> layers) {
  LayersOfNode by_node;
  for (const EngineLayer& layer : layers) {
    for (const std::string& node : layer.covers) by_node[node].push_back(&layer);
  }
  IntegerShare result;
  std::int64_t total = 0;
  std::int64_t in_integers = 0;
  for (const ir::Node* node : exported.nodes()) {
    const ops::OpFacts* facts = ops::find(*node);
    if (facts == nullptr || facts->cost == ops::CostRule::None) continue;
    MacNode attributed = attribute(*node, by_node);
    total += attributed.macs;
    if (attributed.integer) in_integers += attributed.macs;
    result.nodes.push_back(std::move(attributed));
  }
  if (total > 0) result.share = static_cast<double>(in_integers) / static_cast<double>(total);
  return result;
}

}  // namespace espalier::deploy
