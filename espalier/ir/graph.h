#pragma once

#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "espalier/ir/node.h"
#include "espalier/ir/value.h"

namespace espalier::ir {

/// What a new node is made of. Null inputs are optional inputs left out. Empty output names get a
/// unique name made from the node's; a null-like output left out is written as "-".
struct NodeSpec {
  std::string op;
  std::vector<Value*> inputs = {};
  std::vector<std::string> outputs = {""};
  Attributes attributes = {};
  std::string name = {};    ///< empty: made unique from `op`
  std::string domain = {};  ///< empty: ONNX
};

/// A model: nodes of ONNX operators, values, initializers. Owns everything; nodes and values are
/// addressed by pointer and stay where they are until erased. Nodes keep a topological order:
/// every editing call must leave producers before users, which the verifier checks. Adding, erasing
/// and replacing take time that does not grow with the graph, however many users a value has.
/// Not thread-safe for editing; const use from several threads is safe.
class Graph {
 public:
  Graph() = default;
  Graph(Graph&&) noexcept = default;
  Graph& operator=(Graph&&) noexcept = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  ~Graph() = default;

  /// Deep copy; initializer tensors are shared (they are replaced, never written, by passes).
  [[nodiscard]] Graph clone() const;

  /// @name Reading
  /// @{
  /// Nodes in topological order, as a snapshot that stays valid while the graph is edited.
  [[nodiscard]] std::vector<Node*> nodes();
  [[nodiscard]] std::vector<const Node*> nodes() const;
  [[nodiscard]] std::size_t num_nodes() const { return nodes_.size(); }
  [[nodiscard]] const std::vector<Value*>& inputs() const { return inputs_; }
  [[nodiscard]] const std::vector<Value*>& outputs() const { return outputs_; }
  /// Initializers in insertion order.
  [[nodiscard]] std::vector<Value*> initializers() const;
  /// Null when there is no such value / node.
  [[nodiscard]] Value* find_value(std::string_view name) const;
  [[nodiscard]] Node* find_node(std::string_view name) const;
  /// @}

  /// @name Building
  /// Names must be new: UserError otherwise.
  /// @{
  Value& add_input(std::string name, TypeInfo type);
  Value& add_initializer(std::string name, Tensor constant);
  Node& add_node(NodeSpec spec);
  Node& insert_before(const Node& place, NodeSpec spec);
  Node& insert_after(const Node& place, NodeSpec spec);
  void add_output(Value& value);
  /// `stem` if free, else stem_1, stem_2, ... the first free one up to stem_16; beyond that a free
  /// one found in few steps.
  [[nodiscard]] std::string unique_value_name(std::string_view stem) const;
  [[nodiscard]] std::string unique_node_name(std::string_view stem) const;
  /// @}

  /// @name Editing
  /// @{
  /// Every use of `from`, and its place among the graph outputs, becomes `to`.
  void replace_all_uses(Value& from, Value& to);
  /// Input `index` of `node` becomes `value` (null: left out); grows the input list as needed.
  void set_input(Node& node, std::size_t index, Value* value);
  /// Removes trailing inputs beyond `count`.
  void truncate_inputs(Node& node, std::size_t count);
  /// Replaces a graph output, keeping its place.
  void set_output(std::size_t index, Value& value);
  /// Changes the operator of a node in place, keeping edges and attributes.
  void set_op(Node& node, std::string op, std::string domain = {});
  void set_constant(Value& initializer, Tensor constant);
  void rename(Value& value, std::string name);
  void rename(Node& node, std::string name);
  /// The node's outputs must be unused (InternalError otherwise).
  void erase(Node& node);
  /// Input or initializer without uses.
  void erase(Value& value);
  /// Erases nodes whose outputs reach nothing, and initializers without uses. Returns how many.
  std::size_t erase_dead();
  /// Reorders nodes so that producers come before users, keeping the present order where it can.
  /// Throws UserError naming nodes when there is a cycle.
  void sort();
  /// @}

  /// Free facts of the file: model name, producer, documentation, metadata (in "metadata:key").
  std::string name = "model";
  std::string producer;
  std::string documentation;
  std::map<std::string, std::string> metadata;
  /// Operator set versions by domain ("" = ONNX).
  std::map<std::string, std::int64_t> opsets;

 private:
  using NodeList = std::list<std::unique_ptr<Node>>;
  using ValueList = std::list<std::unique_ptr<Value>>;

  Node& insert(NodeList::iterator place, NodeSpec spec);
  Value& new_value(std::string name, Value::Kind kind);
  void remove_value(const Value& value);

  NodeList nodes_;
  std::unordered_map<const Node*, NodeList::iterator> places_;
  ValueList values_;
  std::unordered_map<const Value*, ValueList::iterator> value_places_;
  std::unordered_map<std::string_view, Value*> value_names_;
  std::unordered_map<std::string_view, Node*> node_names_;
  std::vector<Value*> inputs_;
  std::vector<Value*> outputs_;
};

}  // namespace espalier::ir
