#pragma once

#include <cstddef>
#include <list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/attribute.h"
#include "espalier/ir/value.h"

namespace espalier::ir {

using Attributes = std::map<std::string, Attribute, std::less<>>;

/// Domain of Espalier's own node kinds (FakeQuantize).
inline constexpr std::string_view kEspalierDomain = "espalier";

/// One operator application, in ONNX's vocabulary. Owned by its Graph, which does all editing of
/// edges.
class Node {
 public:
  /// Operator name, e.g. "Conv".
  [[nodiscard]] const std::string& op() const { return op_; }
  /// Operator domain; empty for ONNX's own.
  [[nodiscard]] const std::string& domain() const { return domain_; }
  /// True for `op` of ONNX's own domain.
  [[nodiscard]] bool is(std::string_view op) const { return domain_.empty() && op_ == op; }

  /// Name, unique in the graph, never empty.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// "node 'conv1' (Conv)", as messages write it.
  [[nodiscard]] std::string label() const;

  /// Inputs; null where an optional input is left out.
  [[nodiscard]] const std::vector<Value*>& inputs() const { return inputs_; }
  /// Input or null, also beyond the end.
  [[nodiscard]] Value* input(std::size_t index) const {
    return index < inputs_.size() ? inputs_[index] : nullptr;
  }
  /// Outputs; null where an optional output is left out.
  [[nodiscard]] const std::vector<Value*>& outputs() const { return outputs_; }
  [[nodiscard]] Value* output(std::size_t index = 0) const {
    return index < outputs_.size() ? outputs_[index] : nullptr;
  }

  [[nodiscard]] const Attributes& attributes() const { return attributes_; }
  [[nodiscard]] bool has(std::string_view attribute) const {
    return attributes_.find(attribute) != attributes_.end();
  }
  void set(std::string attribute, Attribute value) {
    attributes_.insert_or_assign(std::move(attribute), std::move(value));
  }
  void remove(std::string_view attribute);

  /// Typed getters. A wrong type throws UserError naming node, attribute, held and wanted type; a
  /// missing attribute gives the fallback, or UserError in the form without one.
  [[nodiscard]] std::int64_t get_int(std::string_view attribute) const;
  [[nodiscard]] std::int64_t get_int(std::string_view attribute, std::int64_t fallback) const;
  [[nodiscard]] float get_float(std::string_view attribute, float fallback) const;
  [[nodiscard]] std::string get_string(std::string_view attribute, std::string fallback) const;
  [[nodiscard]] Ints get_ints(std::string_view attribute, Ints fallback) const;
  [[nodiscard]] Floats get_floats(std::string_view attribute, Floats fallback) const;
  [[nodiscard]] Tensor get_tensor(std::string_view attribute) const;

 private:
  friend class Graph;
  Node() = default;

  template <typename Type>
  const Type* find(std::string_view attribute) const;

  std::string op_;
  std::string domain_;
  std::string name_;
  std::vector<Value*> inputs_;
  std::vector<std::list<Use>::iterator> uses_;  ///< each input's place in its value's uses
  std::vector<Value*> outputs_;
  Attributes attributes_;
};

}  // namespace espalier::ir
