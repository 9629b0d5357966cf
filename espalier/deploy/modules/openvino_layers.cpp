#include "espalier/deploy/modules/openvino_layers.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string>
#include <string_view>

#include <openvino/core/model.hpp>

namespace espalier::deploy {
namespace {

std::string fact(const ov::Node& node, const char* key) {
  const auto& facts = node.get_rt_info();
  const auto place = facts.find(key);
  return place == facts.end() ? std::string() : place->second.as<std::string>();
}

/// Removes what OpenVINO's reader and quantization passes append to a node's name when they split
/// it: "fc/WithoutBiases/DequantizationMultiply" comes from "fc".
std::string_view plain_name(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kSuffixes = {
      "/WithoutBiases", "/DequantizationMultiply", "/DequantizationSubtract", "_original",
      "/PostDequantization"};
  for (bool changed = true; changed;) {
    changed = false;
    for (const std::string_view suffix : kSuffixes) {
      if (name.size() <= suffix.size() || !name.ends_with(suffix)) continue;
      name.remove_suffix(suffix.size());
      changed = true;
    }
  }
  return name;
}

/// The nodes that a list "a,b,c" names, without repetition.
std::vector<std::string> split_names(std::string_view list,
                                     const std::map<std::string, std::string>& output_nodes) {
  std::vector<std::string> names;
  while (!list.empty()) {
    const auto comma = list.find(',');
    std::string name(plain_name(list.substr(0, comma)));
    const auto output = output_nodes.find(name);
    if (output != output_nodes.end()) name = output->second;
    if (!name.empty() && std::ranges::find(names, name) == names.end()) names.push_back(name);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
  }
  return names;
}

double milliseconds(const std::string& microseconds) {
  double value = 0;
  const char* end = microseconds.data() + microseconds.size();
  const auto [stop, error] = std::from_chars(microseconds.data(), end, value);
  return error == std::errc() && stop == end ? value / 1000 : 0;
}

}  // namespace

std::vector<EngineLayer> openvino_layers(const ov::Model& runtime,
                                         const std::map<std::string, std::string>& output_nodes) {
  std::vector<EngineLayer> layers;
  for (const auto& node : runtime.get_ordered_ops()) {
    EngineLayer layer{.name = node->get_friendly_name(), .type = fact(*node, "layerType")};
    if (layer.type == "Const" || layer.type == "Input" || layer.type == "Output") continue;
    const std::string primitive = fact(*node, "primitiveType");
    layer.integer = primitive.ends_with("_I8") || primitive.ends_with("_U8");
    layer.covers = split_names(fact(*node, "originalLayersNames"), output_nodes);
    layer.milliseconds = milliseconds(fact(*node, "execTimeMcs"));
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace espalier::deploy
