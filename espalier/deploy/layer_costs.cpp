#include "espalier/deploy/layer_costs.h"

#include <algorithm>
#include <map>
#include <set>

namespace espalier::deploy {
namespace {

using LayersOfNode = std::map<std::string_view, std::set<const EngineLayer*>>;

LayersOfNode layers_of_nodes(std::span<const EngineLayer> layers) {
  LayersOfNode result;
  for (const EngineLayer& layer : layers) {
    for (const std::string& node : layer.covers) result[node].insert(&layer);
  }
  return result;
}

std::optional<double> matching_ms(const EngineLayer& layer, const LayersOfNode& float_layers) {
  std::set<const EngineLayer*> matching;
  for (const std::string& node : layer.covers) {
    const auto place = float_layers.find(node);
    if (place != float_layers.end()) matching.insert(place->second.begin(), place->second.end());
  }
  if (matching.empty()) return std::nullopt;
  double total = 0;
  for (const EngineLayer* match : matching) total += match->milliseconds;
  return total;
}

}  // namespace

std::vector<LayerCost> slower_layers(std::span<const EngineLayer> float_layers,
                                     std::span<const EngineLayer> quantized_layers,
                                     std::size_t limit) {
  const LayersOfNode by_node = layers_of_nodes(float_layers);
  std::vector<LayerCost> costs;
  for (const EngineLayer& layer : quantized_layers) {
    const std::optional<double> float_ms = matching_ms(layer, by_node);
    if (layer.milliseconds <= float_ms.value_or(0)) continue;
    costs.push_back({.name = layer.covers.empty() ? layer.name : layer.covers.front(),
                     .type = layer.type,
                     .float_ms = float_ms,
                     .quantized_ms = layer.milliseconds});
  }
  std::ranges::stable_sort(costs, std::greater<>(), [](const LayerCost& cost) {
    return cost.quantized_ms - cost.float_ms.value_or(0);
  });
  if (costs.size() > limit) costs.resize(limit);
  return costs;
}

}  // namespace espalier::deploy
