#include "espalier/ir/graph.h"

#include <algorithm>
#include <queue>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"

namespace espalier::ir {
namespace {

/// Output name that means "this optional output is left out".
constexpr std::string_view kNoOutput = "-";

/// Linear for the first suffixes, then doubling and bisecting: a model may hold 100 000 nodes
/// without a name.
template <typename Names>
std::string first_free(std::string_view stem, const Names& taken) {
  std::string plain(stem.empty() ? "x" : stem);
  if (!taken.contains(plain)) return plain;
  const auto name = [stem](std::uint64_t suffix) { return fmt::format("{}_{}", stem, suffix); };
  constexpr std::uint64_t kLinear = 16;
  for (std::uint64_t suffix = 1; suffix <= kLinear; ++suffix) {
    if (!taken.contains(name(suffix))) return name(suffix);
  }
  std::uint64_t used = kLinear;
  std::uint64_t free = 2 * kLinear;
  while (taken.contains(name(free))) {
    used = free;
    free *= 2;
  }
  while (free - used > 1) {
    const std::uint64_t middle = used + (free - used) / 2;
    (taken.contains(name(middle)) ? used : free) = middle;
  }
  return name(free);
}

/// Refuses a node before anything of it is in the graph.
template <typename NodeNames, typename ValueNames>
void check_names(const NodeSpec& spec, std::string_view graph, const NodeNames& nodes,
                 const ValueNames& values) {
  base::check(!nodes.contains(spec.name),
              "two nodes of the graph '{}' are named '{}': names must be unique", graph, spec.name);
  for (auto output = spec.outputs.begin(); output != spec.outputs.end(); ++output) {
    if (output->empty() || *output == kNoOutput) continue;
    base::check(
        !values.contains(*output) && std::find(spec.outputs.begin(), output, *output) == output,
        "two values of the graph '{}' are named '{}': names must be unique", graph, *output);
  }
}

}  // namespace

Graph Graph::clone() const {
  Graph copy;
  std::unordered_map<const Value*, Value*> images;
  for (const Value* input : inputs_) images[input] = &copy.add_input(input->name(), input->type());
  for (const Value* constant : initializers()) {
    images[constant] = &copy.add_initializer(constant->name(), constant->constant());
    images[constant]->type_ = constant->type();
  }
  for (const auto& node : nodes_) {
    NodeSpec spec{.op = node->op(),
                  .inputs = {},
                  .outputs = {},
                  .attributes = node->attributes(),
                  .name = node->name(),
                  .domain = node->domain()};
    for (const Value* input : node->inputs()) {
      spec.inputs.push_back(input == nullptr ? nullptr : images.at(input));
    }
    for (const Value* output : node->outputs()) {
      spec.outputs.emplace_back(output == nullptr ? kNoOutput : output->name());
    }
    const Node& image = copy.add_node(std::move(spec));
    for (std::size_t index = 0; index < node->outputs().size(); ++index) {
      if (node->output(index) == nullptr) continue;
      image.output(index)->type_ = node->output(index)->type();
      images[node->output(index)] = image.output(index);
    }
  }
  for (const Value* output : outputs_) copy.add_output(*images.at(output));
  copy.name = name;
  copy.producer = producer;
  copy.documentation = documentation;
  copy.metadata = metadata;
  copy.opsets = opsets;
  return copy;
}

std::vector<Node*> Graph::nodes() {
  std::vector<Node*> list;
  list.reserve(nodes_.size());
  for (const auto& node : nodes_) list.push_back(node.get());
  return list;
}

std::vector<const Node*> Graph::nodes() const {
  std::vector<const Node*> list;
  list.reserve(nodes_.size());
  for (const auto& node : nodes_) list.push_back(node.get());
  return list;
}

std::vector<Value*> Graph::initializers() const {
  std::vector<Value*> list;
  for (const auto& value : values_) {
    if (value->is_initializer()) list.push_back(value.get());
  }
  return list;
}

Value* Graph::find_value(std::string_view value_name) const {
  const auto place = value_names_.find(value_name);
  return place == value_names_.end() ? nullptr : place->second;
}

Node* Graph::find_node(std::string_view node_name) const {
  const auto place = node_names_.find(node_name);
  return place == node_names_.end() ? nullptr : place->second;
}

Value& Graph::new_value(std::string value_name, Value::Kind kind) {
  base::check(!value_name.empty(), "a value of the graph '{}' has an empty name", name);
  base::check(!value_names_.contains(value_name),
              "two values of the graph '{}' are named '{}': names must be unique", name,
              value_name);
  auto value = std::unique_ptr<Value>(new Value);
  value->name_ = std::move(value_name);
  value->kind_ = kind;
  Value& result = *value;
  value_names_[result.name_] = &result;
  value_places_[&result] = values_.insert(values_.end(), std::move(value));
  return result;
}

Value& Graph::add_input(std::string value_name, TypeInfo type) {
  Value& value = new_value(std::move(value_name), Value::Kind::Input);
  value.type_ = std::move(type);
  inputs_.push_back(&value);
  return value;
}

Value& Graph::add_initializer(std::string value_name, Tensor constant) {
  Value& value = new_value(std::move(value_name), Value::Kind::Initializer);
  set_constant(value, std::move(constant));
  return value;
}

void Graph::set_constant(Value& initializer, Tensor constant) {
  base::invariant(initializer.is_initializer(), "'{}' is not an initializer", initializer.name());
  base::invariant(constant.defined(), "initializer '{}' without a tensor", initializer.name());
  initializer.constant_ = std::move(constant);
  initializer.type_ = {.dtype = tensor::from_scalar_type(initializer.constant_.scalar_type()),
                       .shape = tensor::make_shape(initializer.constant_.sizes().vec())};
}

Node& Graph::add_node(NodeSpec spec) {
  return insert(nodes_.end(), std::move(spec));
}

Node& Graph::insert_before(const Node& place, NodeSpec spec) {
  return insert(places_.at(&place), std::move(spec));
}

Node& Graph::insert_after(const Node& place, NodeSpec spec) {
  return insert(std::next(places_.at(&place)), std::move(spec));
}

Node& Graph::insert(NodeList::iterator place, NodeSpec spec) {
  if (spec.name.empty()) spec.name = unique_node_name(spec.op);
  check_names(spec, name, node_names_, value_names_);
  auto node = std::unique_ptr<Node>(new Node);
  node->op_ = std::move(spec.op);
  node->domain_ = std::move(spec.domain);
  node->name_ = std::move(spec.name);
  node->attributes_ = std::move(spec.attributes);
  for (std::size_t index = 0; index < spec.inputs.size(); ++index) {
    set_input(*node, index, spec.inputs[index]);
  }
  for (std::string& output : spec.outputs) {
    Value* value = nullptr;
    if (output != kNoOutput) {
      value = &new_value(output.empty() ? unique_value_name(node->name_) : std::move(output),
                         Value::Kind::NodeOutput);
      value->producer_ = node.get();
      value->output_index_ = node->outputs_.size();
    }
    node->outputs_.push_back(value);
  }
  Node& result = *node;
  node_names_[result.name_] = &result;
  places_[&result] = nodes_.insert(place, std::move(node));
  return result;
}

void Graph::add_output(Value& value) {
  value.is_output_ = true;
  outputs_.push_back(&value);
}

std::string Graph::unique_value_name(std::string_view stem) const {
  return first_free(stem, value_names_);
}

std::string Graph::unique_node_name(std::string_view stem) const {
  return first_free(stem, node_names_);
}

void Graph::replace_all_uses(Value& from, Value& to) {
  if (&from == &to) return;
  for (const Use& use : from.uses_) use.node->inputs_[use.index] = &to;
  to.uses_.splice(to.uses_.end(), from.uses_);
  for (std::size_t index = 0; from.is_output_ && index < outputs_.size(); ++index) {
    if (outputs_[index] == &from) set_output(index, to);
  }
}

void Graph::set_input(Node& node, std::size_t index, Value* value) {
  if (index >= node.inputs_.size()) {
    node.inputs_.resize(index + 1, nullptr);
    node.uses_.resize(index + 1);
  }
  if (node.inputs_[index] != nullptr) node.inputs_[index]->uses_.erase(node.uses_[index]);
  node.inputs_[index] = value;
  if (value == nullptr) return;
  node.uses_[index] = value->uses_.insert(value->uses_.end(), {.node = &node, .index = index});
}

void Graph::truncate_inputs(Node& node, std::size_t count) {
  while (node.inputs_.size() > count) {
    set_input(node, node.inputs_.size() - 1, nullptr);
    node.inputs_.pop_back();
    node.uses_.pop_back();
  }
}

void Graph::set_output(std::size_t index, Value& value) {
  Value* before = outputs_.at(index);
  outputs_[index] = &value;
  value.is_output_ = true;
  before->is_output_ = std::ranges::find(outputs_, before) != outputs_.end();
}

void Graph::set_op(Node& node, std::string op, std::string domain) {
  node.op_ = std::move(op);
  node.domain_ = std::move(domain);
}

void Graph::rename(Value& value, std::string new_name) {
  if (value.name_ == new_name) return;
  base::check(!new_name.empty() && !value_names_.contains(new_name),
              "cannot rename value '{}' to '{}': the name is taken", value.name_, new_name);
  value_names_.erase(value.name_);
  value.name_ = std::move(new_name);
  value_names_[value.name_] = &value;
}

void Graph::rename(Node& node, std::string new_name) {
  if (node.name_ == new_name) return;
  base::check(!new_name.empty() && !node_names_.contains(new_name),
              "cannot rename {} to '{}': the name is taken", node.label(), new_name);
  node_names_.erase(node.name_);
  node.name_ = std::move(new_name);
  node_names_[node.name_] = &node;
}

void Graph::erase(Node& node) {
  for (const Value* output : node.outputs_) {
    base::invariant(output == nullptr || (output->uses_.empty() && !output->is_output_),
                    "erased {} whose output is still used", node.label());
  }
  truncate_inputs(node, 0);
  for (Value* output : node.outputs_) {
    if (output != nullptr) remove_value(*output);
  }
  node_names_.erase(node.name_);
  const auto place = places_.find(&node);
  const auto position = place->second;
  places_.erase(place);
  nodes_.erase(position);
}

void Graph::erase(Value& value) {
  base::invariant(value.producer_ == nullptr && value.uses_.empty() && !value.is_output_,
                  "erased the value '{}' that is still used", value.name_);
  if (value.is_input()) std::erase(inputs_, &value);
  remove_value(value);
}

void Graph::remove_value(const Value& value) {
  value_names_.erase(value.name_);
  const auto place = value_places_.find(&value);
  const auto position = place->second;
  value_places_.erase(place);
  values_.erase(position);
}

std::size_t Graph::erase_dead() {
  std::size_t count = 0;
  std::vector<Node*> list = nodes();
  for (auto node = list.rbegin(); node != list.rend(); ++node) {
    const bool live = std::ranges::any_of((*node)->outputs_, [](const Value* output) {
      return output != nullptr && (!output->uses_.empty() || output->is_output_);
    });
    if (live) continue;
    erase(**node);
    ++count;
  }
  for (Value* constant : initializers()) {
    if (!constant->uses_.empty() || constant->is_output_) continue;
    erase(*constant);
    ++count;
  }
  return count;
}

void Graph::sort() {
  std::unordered_map<const Node*, std::size_t> position;
  std::unordered_map<const Node*, std::size_t> missing;
  const std::vector<Node*> list = nodes();
  for (std::size_t index = 0; index < list.size(); ++index) position[list[index]] = index;
  using Ready = std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>>;
  Ready ready;
  for (const Node* node : list) {
    for (const Value* input : node->inputs_) {
      if (input != nullptr && input->producer_ != nullptr) ++missing[node];
    }
    if (missing[node] == 0) ready.push(position[node]);
  }
  NodeList sorted;
  while (!ready.empty()) {
    Node* node = list[ready.top()];
    ready.pop();
    const auto place = places_.at(node);
    sorted.splice(sorted.end(), nodes_, place);
    for (const Value* output : node->outputs_) {
      if (output == nullptr) continue;
      for (const Use& use : output->uses_) {
        if (--missing[use.node] == 0) ready.push(position[use.node]);
      }
    }
  }
  std::vector<std::string> stuck;
  for (const auto& node : nodes_) stuck.push_back(node->label());
  nodes_.splice(nodes_.begin(), sorted);
  if (stuck.size() > 4) stuck.resize(4);
  base::check(stuck.empty(), "the graph '{}' has a cycle through {}", name, fmt::join(stuck, ", "));
}

}  // namespace espalier::ir
