#include "espalier/deploy/modules/onnxruntime_layers.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "espalier/deploy/modules/covered_nodes.h"

namespace espalier::deploy {
namespace {

/// Operators that compute in integers whatever their inputs.
bool is_integer_op(const ir::Node& layer) {
  static constexpr std::array<std::string_view, 8> kOps = {
      "QGemm",          "MatMulIntegerToFloat", "ConvInteger",           "MatMulInteger",
      "QuantizeLinear", "DequantizeLinear",     "DynamicQuantizeMatMul", "QLinearMatMul"};
  return layer.op().starts_with("QLinear") || std::ranges::find(kOps, layer.op()) != kOps.end();
}

/// Follows integer codes through operators that keep the type of their input (MaxPool, Reshape).
class CodeValues {
 public:
  [[nodiscard]] bool hold_codes(const ir::Node& layer) const {
    const ir::Value* input = layer.input(0);
    return input != nullptr && (codes_.contains(input) || is_byte(input->type().dtype));
  }
  void add(const ir::Node& layer) {
    if (layer.is("DequantizeLinear") || gives_float(layer)) return;
    for (const ir::Value* output : layer.outputs()) codes_.insert(output);
  }

 private:
  static bool is_byte(tensor::DType dtype) {
    return dtype == tensor::DType::UInt8 || dtype == tensor::DType::Int8;
  }
  /// Products without an output quantizer: float out unless an output scale is among the inputs.
  static bool gives_float(const ir::Node& layer) {
    constexpr std::size_t kOutputScale = 7;
    return layer.op() == "MatMulIntegerToFloat" || layer.op() == "DynamicQuantizeMatMul" ||
           (layer.op() == "QGemm" && layer.input(kOutputScale) == nullptr);
  }

  std::unordered_set<const ir::Value*> codes_;
};

/// Removes what layout changes append to names: "conv1_nchwc", "conv1_token_12".
std::string_view plain_name(std::string_view name) {
  constexpr std::string_view kBlocked = "_nchwc";
  constexpr std::string_view kToken = "_token_";
  if (name.ends_with(kBlocked)) return name.substr(0, name.size() - kBlocked.size());
  const auto place = name.rfind(kToken);
  if (place == std::string_view::npos) return name;
  const std::string_view number = name.substr(place + kToken.size());
  const bool all_digits = !number.empty() && std::ranges::all_of(number, [](char letter) {
    return letter >= '0' && letter <= '9';
  });
  return all_digits ? name.substr(0, place) : name;
}

/// Values of the exported graph that a layer gives. Layout changes rename values; the layer's own
/// name then still holds the name of the value or node it came from.
std::vector<const ir::Value*> exported_outputs(const ir::Graph& exported, const ir::Node& layer) {
  std::vector<const ir::Value*> values;
  for (const ir::Value* output : layer.outputs()) {
    const ir::Value* value = output == nullptr ? nullptr : exported.find_value(output->name());
    if (value != nullptr) values.push_back(value);
  }
  if (!values.empty()) return values;
  const std::string_view name = plain_name(layer.name());
  if (const ir::Value* value = exported.find_value(name)) return {value};
  if (const ir::Node* node = exported.find_node(name)) {
    values.assign(node->outputs().begin(), node->outputs().end());
    std::erase(values, nullptr);
  }
  return values;
}

/// Median times in milliseconds by layer name, from a profile in Chrome's trace form.
std::map<std::string, double> layer_times(std::string_view profile) {
  constexpr std::string_view kSuffix = "_kernel_time";
  std::map<std::string, std::vector<double>> samples;
  const auto events = nlohmann::json::parse(profile, nullptr, /*allow_exceptions=*/false);
  if (!events.is_array()) return {};
  for (const auto& event : events) {
    if (!event.is_object() || event.value("cat", "") != "Node") continue;
    const std::string name = event.value("name", "");
    if (!name.ends_with(kSuffix)) continue;
    samples[name.substr(0, name.size() - kSuffix.size())].push_back(event.value("dur", 0.0) / 1000);
  }
  std::map<std::string, double> times;
  for (auto& [name, values] : samples) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::ranges::nth_element(values, middle);
    times[name] = *middle;
  }
  return times;
}

}  // namespace

std::vector<EngineLayer> onnxruntime_layers(const ir::Graph& exported, const ir::Graph& optimized,
                                            std::string_view profile) {
  const auto times = layer_times(profile);
  std::unordered_set<const ir::Value*> kept;
  for (const ir::Node* layer : optimized.nodes()) {
    for (const ir::Value* value : exported_outputs(exported, *layer)) kept.insert(value);
  }
  CodeValues codes;
  std::vector<EngineLayer> layers;
  for (const ir::Node* node : optimized.nodes()) {
    EngineLayer layer{.name = node->name(), .type = node->op()};
    layer.integer = is_integer_op(*node) || codes.hold_codes(*node);
    if (layer.integer) codes.add(*node);
    layer.covers = covered_nodes(exported_outputs(exported, *node), kept);
    const auto time = times.find(node->name());
    if (time != times.end()) layer.milliseconds = time->second;
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace espalier::deploy
