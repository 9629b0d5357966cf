#pragma once

#include <list>
#include <optional>
#include <string>
#include <vector>

#include "espalier/tensor/dtype.h"
#include "espalier/tensor/shape.h"
#include "espalier/tensor/tensor.h"

namespace espalier::ir {

class Graph;
class Node;

/// Element type and shape of a value; a missing shape means unknown rank.
struct TypeInfo {
  tensor::DType dtype = tensor::DType::Undefined;
  std::optional<tensor::Shape> shape;
  bool operator==(const TypeInfo&) const = default;
};

/// One use of a value: input `index` of `node`.
struct Use {
  Node* node = nullptr;
  std::size_t index = 0;
  bool operator==(const Use&) const = default;
};

/// A tensor that flows through the graph: a graph input, an initializer, or the output of a node.
/// Owned by its Graph; names are unique in it.
class Value {
 public:
  enum class Kind { Input, Initializer, NodeOutput };

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is_initializer() const { return kind_ == Kind::Initializer; }
  [[nodiscard]] bool is_input() const { return kind_ == Kind::Input; }

  /// The node that computes it; null for inputs and initializers.
  [[nodiscard]] Node* producer() const { return producer_; }
  /// Which output of the producer it is.
  [[nodiscard]] std::size_t output_index() const { return output_index_; }
  /// Where it is used, in no promised order; graph outputs are not uses.
  [[nodiscard]] const std::list<Use>& uses() const { return uses_; }
  /// True when it is a graph output.
  [[nodiscard]] bool is_output() const { return is_output_; }

  [[nodiscard]] const TypeInfo& type() const { return type_; }
  void set_type(TypeInfo type) { type_ = std::move(type); }

  /// The initializer's tensor (kind Initializer only). Graph::set_constant replaces it.
  [[nodiscard]] const Tensor& constant() const { return constant_; }

 private:
  friend class Graph;
  Value() = default;

  std::string name_;
  Kind kind_ = Kind::NodeOutput;
  TypeInfo type_;
  Node* producer_ = nullptr;
  std::size_t output_index_ = 0;
  std::list<Use> uses_;
  bool is_output_ = false;
  Tensor constant_;
};

}  // namespace espalier::ir
