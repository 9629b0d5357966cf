#include "espalier/passes/merge_shared_quantizers.h"

#include <algorithm>
#include <ranges>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "espalier/ops/facts.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/quant/target.h"

namespace espalier::passes {
namespace {

ir::Node* quantizer_reading(const ir::Value& value) {
  for (const ir::Use& use : value.uses()) {
    if (is_fake_quantize(*use.node) && use.index == 0) return use.node;
  }
  return nullptr;
}

class Merger {
 public:
  Merger(ir::Graph& graph, const quant::QuantPlan& plan)
      : graph_(graph), plan_(plan), target_(quant::find_target(plan.target)) {}

  std::size_t merge() {
    const std::vector<ir::Node*> nodes = graph_.nodes();
    for (const ir::Node* node : std::views::reverse(nodes)) {
      if (gone_.contains(node) || node->outputs().empty()) continue;
      const auto owner = owner_of_.find(node->output(0));
      if (treatment(*node) == quant::Treatment::SharedScale) {
        ir::Node* result =
            owner != owner_of_.end() ? owner->second : quantizer_reading(*node->output(0));
        if (result != nullptr) merge_inputs(*node, node->inputs(), *result);
      } else if (treatment(*node) == quant::Treatment::PassThrough && owner != owner_of_.end()) {
        merge_inputs(*node, {node->input(0)}, *owner->second);
      }
    }
    for (ir::Node* node : graph_.nodes()) {
      if (gone_.contains(node)) continue;
      if (is_fake_quantize(*node)) {
        on_codes_of_[node->output()] = node;
      } else if (treatment(*node) == quant::Treatment::PassThrough) {
        merge_output(*node);
      }
    }
    return gone_.size();
  }

 private:
  [[nodiscard]] quant::Treatment treatment(const ir::Node& node) const {
    const quant::OpRule* rule =
        node.domain().empty() ? quant::find_rule(target_, node.op()) : nullptr;
    if (rule == nullptr) return quant::Treatment::Float;
    const bool moves = rule->treatment != quant::Treatment::PassThrough ||
                       rule->condition != quant::Condition::PassesValues ||
                       ops::passes_values(node);
    return moves ? rule->treatment : quant::Treatment::Float;
  }

  /// True when both start alike and are trained alike.
  [[nodiscard]] bool are_one(const ir::Node& first, const ir::Node& second) const {
    const auto plan_of = [&](const ir::Node& quantizer) {
      return plan_.activations.find(quantizer.input(0)->name());
    };
    const auto one = plan_of(first);
    const auto other = plan_of(second);
    return one != plan_.activations.end() && other != plan_.activations.end() &&
           one->second.params == other->second.params &&
           first.get_string("estimator", "") == second.get_string("estimator", "");
  }

  /// Takes out a quantizer whose value gets its parameters from another one.
  void take_out(ir::Node& quantizer, ir::Node& stays) {
    ir::Strings names = values_sharing(stays);
    names.push_back(quantizer.input(0)->name());
    stays.set(std::string(kSharedBy), std::move(names));
    graph_.replace_all_uses(*quantizer.output(), *quantizer.input(0));
    std::vector<ir::Value*> parameters;
    for (ir::Value* input : quantizer.inputs()) {
      if (input != nullptr && input != quantizer.input(0)) parameters.push_back(input);
    }
    graph_.erase(quantizer);
    for (ir::Value* parameter : parameters) {
      if (parameter->is_initializer() && parameter->uses().empty()) graph_.erase(*parameter);
    }
    gone_.insert(&quantizer);
  }

  /// Inputs that nothing else reads are quantized behind the node: moving elements and quantizing
  /// them may change places.
  void merge_inputs(const ir::Node& node, const std::vector<ir::Value*>& inputs, ir::Node& result) {
    std::vector<ir::Node*> quantizers;
    for (const ir::Value* input : inputs) {
      ir::Node* quantizer = fake_quantize_behind(input);
      const bool is_alone =
          quantizer != nullptr && !input->is_output() && !quantizer->input(0)->is_initializer() &&
          std::ranges::all_of(input->uses(),
                              [&](const ir::Use& use) { return use.node == &node; }) &&
          are_one(*quantizer, result);
      if (!is_alone) return;
      const bool is_new = std::ranges::find(quantizers, quantizer) == quantizers.end();
      if (is_new) quantizers.push_back(quantizer);
    }
    for (ir::Node* quantizer : quantizers) {
      owner_of_[quantizer->input(0)] = &result;
      take_out(*quantizer, result);
    }
  }

  void merge_output(const ir::Node& node) {
    const auto found = on_codes_of_.find(node.input(0));
    if (found == on_codes_of_.end()) return;
    ir::Node& stays = *found->second;
    on_codes_of_[node.output(0)] = &stays;
    ir::Node* quantizer = quantizer_reading(*node.output(0));
    if (quantizer == nullptr || quantizer->output()->is_output() || !are_one(*quantizer, stays)) {
      return;
    }
    take_out(*quantizer, stays);
  }

  ir::Graph& graph_;
  const quant::QuantPlan& plan_;
  const quant::Target& target_;
  /// Values that lost their quantizer to one further down.
  std::unordered_map<const ir::Value*, ir::Node*> owner_of_;
  /// Values whose elements are all results of a quantizer.
  std::unordered_map<const ir::Value*, ir::Node*> on_codes_of_;
  std::unordered_set<const ir::Node*> gone_;
};

}  // namespace

ir::Strings values_sharing(const ir::Node& quantizer) {
  const auto found = quantizer.attributes().find(kSharedBy);
  if (found == quantizer.attributes().end()) return {};
  return std::get<ir::Strings>(found->second);
}

std::size_t merge_shared_quantizers(ir::Graph& graph, const quant::QuantPlan& plan) {
  return Merger(graph, plan).merge();
}

}  // namespace espalier::passes
