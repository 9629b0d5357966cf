#include "espalier/passes/correct_folded_weights.h"

#include <algorithm>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/ops/estimator.h"
#include "espalier/ops/weight.h"
#include "espalier/passes/fake_quantize_node.h"
#include "espalier/passes/name_as_folded.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::size_t kWeight = 1;
constexpr std::size_t kGamma = 1;
constexpr std::size_t kMean = 3;
constexpr std::size_t kVariance = 4;
constexpr float kDefaultEpsilon = 1e-5F;  ///< of BatchNormalization

/// Adds nodes in front of a layer, named after it.
class Builder {
 public:
  Builder(ir::Graph& graph, ir::Node& layer) : graph_(graph), layer_(layer) {}

  ir::Value* constant(std::string_view suffix, const Tensor& tensor) {
    return &graph_.add_initializer(graph_.unique_value_name(layer_.name() + std::string(suffix)),
                                   tensor);
  }

  ir::Value* node(const ir::Node& place, std::string op, std::vector<ir::Value*> inputs,
                  std::string_view suffix) {
    const std::string name = layer_.name() + std::string(suffix);
    return graph_
        .insert_before(place, {.op = std::move(op),
                               .inputs = std::move(inputs),
                               .outputs = {graph_.unique_value_name(name)},
                               .name = graph_.unique_node_name(name)})
        .output();
  }

  ir::Value* reshape(const ir::Node& place, ir::Value* vector, std::int64_t rank, std::int64_t axis,
                     std::string_view suffix) {
    ir::Ints sizes(static_cast<std::size_t>(rank), 1);
    sizes[static_cast<std::size_t>(axis)] = -1;
    return node(place, "Reshape",
                {vector, constant(fmt::format("{}_shape", suffix), at::tensor(sizes))}, suffix);
  }

 private:
  ir::Graph& graph_;
  ir::Node& layer_;
};

void check_gamma(const ir::Node& bn) {
  if (bn.input(kGamma)->constant().all().item<bool>()) return;
  throw base::UserError({.what = "cannot train with folded BatchNormalization",
                         .where = bn.label(),
                         .got = "a gamma of zero",
                         .hint = "train with live BatchNormalization"});
}

/// BatchNorm(y + b) with mean m is BatchNorm(y) with mean m - b.
void move_bias(ir::Graph& graph, ir::Node& layer, ir::Node& bn) {
  const Tensor* bias = constant_of(layer.input(kBiasInput));
  if (bias == nullptr) return;
  replace_constant(graph, bn, kMean, bn.input(kMean)->constant() - bias->reshape({-1}));
  graph.truncate_inputs(layer, kBiasInput);
}

bool is_correctable(const ir::Node& layer) {
  const ir::Node* quantizer = fake_quantize_behind(layer.input(kWeight));
  return quantizer != nullptr && quantizer->get_string("role", "") == "weight" &&
         quantizer->output()->uses().size() == 1 && has_correctable_norm(layer);
}

void correct(ir::Graph& graph, ir::Node& layer) {
  ir::Node& quantizer = *fake_quantize_behind(layer.input(kWeight));
  ir::Node& bn = *joined_batch_norm(layer);
  check_gamma(bn);
  const std::int64_t axis = *ops::weight_axis(layer);
  move_bias(graph, layer, bn);
  ir::Value& weight = *quantizer.input(ops::kQuantizedValue);
  const std::int64_t rank = weight.constant().dim();
  Builder builder(graph, layer);
  const float epsilon = bn.get_float("epsilon", kDefaultEpsilon);
  ir::Value* sum = builder.node(
      quantizer, "Add", {bn.input(kVariance), builder.constant("_epsilon", at::full({}, epsilon))},
      "_variance");
  ir::Value* deviation = builder.node(quantizer, "Sqrt", {sum}, "_deviation");
  ir::Value* factor = builder.node(quantizer, "Div", {bn.input(kGamma), deviation}, "_factor");
  ir::Value* spread = builder.reshape(quantizer, factor, rank, axis, "_weight_factor");
  ir::Value* scaled = builder.node(quantizer, "Mul", {&weight, spread}, "_folded_weight");
  scaled->set_type(weight.type());
  graph.set_input(quantizer, ops::kQuantizedValue, scaled);
  const std::int64_t output_rank = layer.is("Gemm") ? 2 : rank;
  ir::Value* back = builder.reshape(bn, factor, output_rank, 1, "_output_factor");
  ir::Value* restored = builder.node(bn, "Div", {layer.output(), back}, "_restored");
  restored->set_type(layer.output()->type());
  graph.set_input(bn, 0, restored);
}

template <typename Wanted>
std::size_t correct_layers(ir::Graph& graph, const Wanted& wanted) {
  std::size_t changes = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!wanted(*node) || !is_correctable(*node)) continue;
    correct(graph, *node);
    ++changes;
  }
  return changes;
}

}  // namespace

bool has_correctable_norm(const ir::Node& layer) {
  const bool transposed = layer.is("ConvTranspose") && layer.get_int("group", 1) == 1;
  if (!layer.is("Conv") && !layer.is("Gemm") && !transposed) return false;
  const ir::Value* bias = layer.input(kBiasInput);
  if (bias != nullptr && constant_of(bias) == nullptr) return false;
  return joined_batch_norm(layer) != nullptr;
}

Pass correct_folded_weights() {
  return {.name = "correct_folded_weights", .apply = [](ir::Graph& graph) {
            return correct_layers(graph, [](const ir::Node&) { return true; });
          }};
}

Pass correct_folded_weights(std::vector<std::string> layers) {
  return {.name = "correct_folded_weights", .apply = [names = std::move(layers)](ir::Graph& graph) {
            return correct_layers(graph, [&](const ir::Node& layer) {
              return std::ranges::find(names, layer.name()) != names.end();
            });
          }};
}

}  // namespace espalier::passes
