#include "espalier/onnx/functions.h"

#include <map>
#include <optional>

#include <fmt/format.h>
#include <onnx/inliner/inliner.h>

#include "espalier/base/error.h"
#include "espalier/onnx/subgraph.h"

namespace espalier::onnx {
namespace {

using ::onnx::FunctionProto;
using ::onnx::ModelProto;
using ::onnx::NodeProto;

/// Bounds of the model after inlining: functions can double at every level.
constexpr std::uint64_t kMaxNodes = 1'000'000;
constexpr std::uint64_t kMaxBytes = std::uint64_t{1} << 30;

std::string key(const std::string& domain, const std::string& op, const std::string& overload) {
  return fmt::format("{}:{}:{}", domain == "ai.onnx" ? "" : domain, op, overload);
}

struct Cost {
  std::uint64_t nodes = 0;
  std::uint64_t bytes = 0;
  void add(const Cost& other) {
    nodes += other.nodes;
    bytes += other.bytes;
  }
};

/// Computes what inlining will give before anything is inlined.
class Expansion {
 public:
  Expansion(const ModelProto& model, const std::string& name) : name_(name) {
    for (const FunctionProto& function : model.functions()) {
      const std::string id = key(function.domain(), function.name(), function.overload());
      if (!functions_.emplace(id, &function).second) {
        throw base::UserError(
            fmt::format("cannot read the model '{}': two functions are named "
                        "'{}'",
                        name_, function.name()));
      }
    }
  }

  Cost of_nodes(const google::protobuf::RepeatedPtrField<NodeProto>& nodes) {
    Cost cost;
    const auto visit = [&](const NodeProto& node) {
      cost.add(of_node(node));
      if (cost.nodes > kMaxNodes || cost.bytes > kMaxBytes) {
        throw base::UserError({.what = fmt::format("cannot read the model '{}'", name_),
                               .got = "functions that expand without bound",
                               .expected = fmt::format("at most {} nodes", kMaxNodes)});
      }
    };
    for (const NodeProto& node : nodes) {
      visit(node);
      for (const auto& attribute : node.attribute()) for_each_inner_node(attribute, visit);
    }
    return cost;
  }

 private:
  Cost of_node(const NodeProto& node) {
    const Cost own{.nodes = 1, .bytes = node.ByteSizeLong()};
    const auto place = functions_.find(key(node.domain(), node.op_type(), node.overload()));
    if (place == functions_.end()) return own;
    auto [known, is_new] = costs_.emplace(place->first, std::nullopt);
    if (is_new) {
      Cost cost = own;
      cost.add(of_nodes(place->second->node()));
      costs_[place->first] = cost;
      return cost;
    }
    if (known->second) return *known->second;
    throw base::UserError({.what = fmt::format("cannot read the model '{}'", name_),
                           .where = fmt::format("function '{}'", place->second->name()),
                           .got = "functions that call each other in a circle"});
  }

  const std::string& name_;
  std::map<std::string, const FunctionProto*> functions_;
  std::map<std::string, std::optional<Cost>> costs_;
};

}  // namespace

void inline_functions(ModelProto& model, const std::string& name) {
  if (model.functions_size() == 0) return;
  Expansion(model, name).of_nodes(model.graph().node());
  try {
    ::onnx::inliner::InlineLocalFunctions(model);
  } catch (const std::exception& error) {
    throw base::UserError(
        {.what = fmt::format("cannot read the model '{}'", name),
         .got = fmt::format("functions that cannot be inlined: {}", error.what())});
  }
  if (model.functions_size() > 0) {
    throw base::UnsupportedError(
        {.what = fmt::format("cannot read the model '{}'", name),
         .where = fmt::format("function '{}'", model.functions(0).name()),
         .got = "a function of another opset than the model",
         .hint = "inline the functions before, or export the model without functions"});
  }
}

}  // namespace espalier::onnx
