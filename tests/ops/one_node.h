#pragma once

#include <optional>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::ops {

/// A graph of one node; each input is an initializer, or a graph input where it is nothing.
class OneNode {
 public:
  OneNode(std::string op, const std::vector<std::optional<Tensor>>& inputs,
          ir::Attributes attributes = {}, std::string domain = {}) {
    ir::NodeSpec spec{.op = std::move(op),
                      .attributes = std::move(attributes),
                      .name = "node",
                      .domain = std::move(domain)};
    for (std::size_t index = 0; index < inputs.size(); ++index) {
      const std::string name = "x" + std::to_string(index);
      spec.inputs.push_back(inputs[index] ? &graph_.add_initializer(name, *inputs[index])
                                          : &graph_.add_input(name, {}));
    }
    node_ = &graph_.add_node(std::move(spec));
    graph_.add_output(*node_->output());
  }

  [[nodiscard]] ir::Node& node() const { return *node_; }
  [[nodiscard]] ir::Graph& graph() { return graph_; }
  /// Sets the type of an input (by position) or, with no position, of the output.
  OneNode& type(std::optional<std::size_t> index, tensor::Shape shape) {
    ir::Value* value = index ? node_->input(*index) : node_->output();
    value->set_type({.dtype = tensor::DType::Float32, .shape = std::move(shape)});
    return *this;
  }

 private:
  ir::Graph graph_;
  ir::Node* node_ = nullptr;
};

}  // namespace espalier::ops
