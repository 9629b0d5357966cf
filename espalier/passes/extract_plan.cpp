#include "espalier/passes/extract_plan.h"

#include <algorithm>

#include <fmt/format.h>

#include "espalier/analysis/model_id.h"
#include "espalier/base/error.h"
#include "espalier/ops/estimator.h"
#include "espalier/ops/weight.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/merge_shared_quantizers.h"
#include "espalier/passes/settle_quantizers.h"
#include "espalier/quant/weights.h"

namespace espalier::passes {
namespace {

template <typename Element>
std::vector<Element> list_of(const Tensor& tensor) {
  const auto* first = tensor.const_data_ptr<Element>();
  return {first, first + tensor.numel()};
}

tensor::QuantParams params_of(const ir::Node& node) {
  const FakeQuantizeParams params = fake_quantize_params(node);
  return {.grid = grid_of(params.qmin, params.qmax),
          .scale = list_of<float>(params.scale),
          .zero_point = list_of<std::int32_t>(params.zero_point),
          .axis = params.axis ? static_cast<int>(*params.axis) : -1};
}

class Extractor {
 public:
  Extractor(ir::Graph& graph, const quant::QuantPlan& before) : graph_(graph), before_(before) {
    plan_.target = before.target;
    plan_.calibration = before.calibration;
    plan_.float_nodes = before.float_nodes;
  }

  quant::QuantPlan extract() {
    find_biases();
    for (ir::Node* node : graph_.nodes()) {
      if (is_fake_quantize(*node)) take_out(*node);
    }
    fit_biases();
    graph_.erase_dead();
    graph_.opsets.erase(std::string(ir::kEspalierDomain));
    std::sort(plan_.edges.begin(), plan_.edges.end());
    plan_.model_id = analysis::model_id(graph_);
    return std::move(plan_);
  }

 private:
  /// Layers that had an int32 bias keep it when both sides are still quantized.
  void find_biases() {
    for (const ir::Node* node : graph_.nodes()) {
      if (!before_.biases.contains(node->name())) continue;
      const ir::Value* bias = ops::bias_initializer(*node);
      const auto port = ops::weight_port(*node);
      const bool quantized = port && fake_quantize_behind(node->input(*port)) != nullptr &&
                             fake_quantize_behind(node->input(0)) != nullptr;
      if (bias != nullptr && quantized) plan_.biases[node->name()] = bias->name();
    }
  }

  /// A channel whose scale became tiny gets the scale that its int32 bias needs.
  void fit_biases() {
    for (const auto& [name, bias] : plan_.biases) {
      const ir::Node& node = *graph_.find_node(name);
      const auto weight = plan_.weights.find(node.input(*ops::weight_port(node))->name());
      const auto input = plan_.activations.find(node.input(0)->name());
      if (weight == plan_.weights.end() || input == plan_.activations.end()) continue;
      (void)quant::fit_bias(weight->second, graph_.find_value(bias)->constant(),
                            input->second.params.scale.front());
    }
  }

  void take_out(ir::Node& node) {
    ir::Value& value = *node.input(ops::kQuantizedValue);
    const std::list<ir::Use> uses = node.output()->uses();
    if (value.is_initializer()) {
      plan_.weights[value.name()] = {
          .params = params_of(node), .method = node.get_string(kTrainedBy, ""), .rounding = {}};
    } else {
      const std::string name = take_output(node, value);
      plan_.activations[name] = activation_of(name, node);
      for (const ir::Use& use : uses) {
        plan_.edges.push_back({.node = use.node->name(), .index = use.index});
      }
      for (const std::string& shared : values_sharing(node)) give(shared, node);
    }
    for (const ir::Use& use : uses) graph_.set_input(*use.node, use.index, &value);
    graph_.erase(node);
  }

  /// Parameters of another value's quantizer (merge_shared_quantizers).
  void give(const std::string& name, const ir::Node& quantizer) {
    const ir::Value* value = graph_.find_value(name);
    if (value == nullptr) return;
    plan_.activations[name] = activation_of(name, quantizer);
    for (const ir::Use& use : value->uses()) {
      const quant::EdgeKey edge{.node = use.node->name(), .index = use.index};
      if (std::ranges::find(before_.edges, edge) != before_.edges.end()) {
        plan_.edges.push_back(edge);
      }
    }
  }

  /// A quantized graph output gives its name back to the value; returns the value's name.
  std::string take_output(const ir::Node& node, ir::Value& value) {
    const auto& outputs = graph_.outputs();
    for (std::size_t index = 0; index < outputs.size(); ++index) {
      if (outputs[index] != node.output()) continue;
      const std::string name = node.output()->name();
      graph_.set_output(index, value);
      graph_.rename(*node.output(), graph_.unique_value_name(name + "_quantized"));
      graph_.rename(value, name);
      plan_.edges.push_back({.node = "", .index = index});
    }
    return value.name();
  }

  [[nodiscard]] quant::ActivationPlan activation_of(const std::string& name,
                                                    const ir::Node& quantizer) const {
    const tensor::QuantParams params = params_of(quantizer);
    const auto old = before_.activations.find(name);
    const std::string calibrated = old == before_.activations.end() ? "" : old->second.method;
    quant::ActivationPlan plan{.params = params,
                               .method = quantizer.get_string(kTrainedBy, calibrated)};
    const double scale = double{params.scale.front()};
    const auto zero = static_cast<double>(params.zero_point.front());
    plan.low = (static_cast<double>(params.grid.qmin()) - zero) * scale;
    plan.high = (static_cast<double>(params.grid.qmax()) - zero) * scale;
    return plan;
  }

  ir::Graph& graph_;
  const quant::QuantPlan& before_;
  quant::QuantPlan plan_;
};

}  // namespace

tensor::QuantGrid grid_of(std::int64_t qmin, std::int64_t qmax) {
  constexpr int kLeastBits = 2;
  constexpr int kMostBits = 16;
  for (int bits = kLeastBits; bits <= kMostBits; ++bits) {
    for (const bool is_signed : {false, true}) {
      for (const bool narrow : {false, true}) {
        const tensor::QuantGrid grid{.bits = bits, .is_signed = is_signed, .narrow = narrow};
        if (narrow && !is_signed) continue;
        if (grid.qmin() == qmin && grid.qmax() == qmax) return grid;
      }
    }
  }
  throw base::UserError({.what = "cannot describe a quantizer",
                         .got = fmt::format("codes {}..{}", qmin, qmax),
                         .expected = "all codes of 2 to 16 bits"});
}

quant::QuantPlan extract_plan(ir::Graph& simulated, const quant::QuantPlan& before) {
  return Extractor(simulated, before).extract();
}

}  // namespace espalier::passes
