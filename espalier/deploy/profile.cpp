#include "espalier/deploy/profile.h"

#include <algorithm>
#include <unordered_set>

#include "espalier/base/check.h"
#include "espalier/deploy/integer_share.h"

namespace espalier::deploy {
namespace {

using Names = std::unordered_set<std::string_view>;

/// True when every use of the quantizer's codes is a DequantizeLinear whose users the same layer
/// covers, as it does the node before the quantizer.
bool is_inside(const ir::Node& quantize, const Names& covered) {
  const ir::Node* before = quantize.input(0)->producer();
  const ir::Value& codes = *quantize.output();
  if (before == nullptr || !covered.contains(before->name()) || codes.is_output()) return false;
  const auto reads_inside = [&](const ir::Use& use) {
    const ir::Value* floats = use.node->output();
    return use.node->is("DequantizeLinear") && !floats->is_output() &&
           std::ranges::all_of(floats->uses(), [&](const ir::Use& reader) {
             return covered.contains(reader.node->name());
           });
  };
  return !codes.uses().empty() && std::ranges::all_of(codes.uses(), reads_inside);
}

}  // namespace

ArithmeticProfile read_profile(const std::string& engine, const ir::Graph& exported,
                               std::span<const EngineLayer> layers) {
  ArithmeticProfile profile{.engine = engine};
  for (const EngineLayer& layer : layers) {
    if (!layer.integer || !does_macs(layer)) continue;
    const Names covered(layer.covers.begin(), layer.covers.end());
    for (const std::string& name : layer.covers) {
      const ir::Node* node = exported.find_node(name);
      if (node == nullptr || !node->is("QuantizeLinear") || !is_inside(*node, covered)) continue;
      profile.skipped_quantizers.push_back(name);
    }
  }
  return profile;
}

ir::Graph apply_profile(const ir::Graph& exported, const ArithmeticProfile& profile) {
  ir::Graph graph = exported.clone();
  for (const std::string& name : profile.skipped_quantizers) {
    const ir::Node* quantize = graph.find_node(name);
    base::check(quantize != nullptr && quantize->is("QuantizeLinear"),
                "the profile of {} names '{}', which is no quantizer of the graph", profile.engine,
                name);
    ir::Value& before = *quantize->input(0);
    const std::list<ir::Use> uses = quantize->output()->uses();
    for (const ir::Use& use : uses) graph.replace_all_uses(*use.node->output(), before);
  }
  graph.erase_dead();
  return graph;
}

}  // namespace espalier::deploy
