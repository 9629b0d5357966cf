#include "tests/deploy/small_models.h"

#include <utility>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>

#include "espalier/tensor/quantize.h"
#include "tests/kit/tensors.h"

namespace espalier::deploy {
namespace {

using ir::Value;

/// Weight and bias of a layer, the same in both nets.
struct Layer {
  std::string name;
  std::vector<std::int64_t> sizes;
  std::uint64_t seed;
  double limit;

  [[nodiscard]] Tensor weight() const {
    return kit::random_tensor(sizes, seed, {.low = -limit, .high = limit});
  }
  [[nodiscard]] Tensor bias() const {
    return kit::random_tensor({sizes[0]}, seed + 100, {.low = -0.1, .high = 0.1});
  }
};

const Layer kFirst{.name = "conv1", .sizes = {16, 8, 3, 3}, .seed = 1, .limit = 0.2};
const Layer kSecond{.name = "conv2", .sizes = {16, 16, 3, 3}, .seed = 2, .limit = 0.2};
const Layer kStem{.name = "conv0", .sizes = {8, 8, 3, 3}, .seed = 5, .limit = 0.2};
const Layer kInner{.name = "conv2", .sizes = {8, 8, 3, 3}, .seed = 6, .limit = 0.2};
const Layer kResidual{.name = "conv1", .sizes = {8, 8, 3, 3}, .seed = 4, .limit = 0.2};
const Layer kLast{.name = "fc", .sizes = {10, 16}, .seed = 3, .limit = 1.0};

/// Adds nodes one behind the other; `quantize` puts a Q/DQ pair behind the last value.
class Chain {
 public:
  Chain() {
    graph_.opsets[""] = 17;
    const tensor::Shape shape = {{std::nullopt, "N"}, {8, ""}, {8, ""}, {8, ""}};
    last_ = &graph_.add_input("input", {tensor::DType::Float32, shape});
  }

  void op(std::string op, std::string name, ir::Attributes attributes = {}) {
    append({.op = std::move(op),
            .inputs = {last_},
            .attributes = std::move(attributes),
            .name = std::move(name)});
  }

  void weighted(const Layer& layer, bool quantized) {
    const bool conv = layer.sizes.size() == 4;
    ir::Attributes attributes;
    if (conv) attributes["pads"] = ir::Ints{1, 1, 1, 1};
    if (!conv) attributes["transB"] = std::int64_t{1};
    Value* weight = quantized ? quantized_weight(layer)
                              : &graph_.add_initializer(layer.name + ".weight", layer.weight());
    Value* bias = quantized ? quantized_bias(layer)
                            : &graph_.add_initializer(layer.name + ".bias", layer.bias());
    append({.op = conv ? "Conv" : "Gemm",
            .inputs = {last_, weight, bias},
            .attributes = std::move(attributes),
            .name = layer.name});
  }

  void quantize(const std::string& stem, float scale, int zero_point) {
    scale_ = scale;
    Value& scale_value = graph_.add_initializer(stem + ".scale", at::scalar_tensor(scale));
    Value& zero_value = graph_.add_initializer(
        stem + ".zero", at::scalar_tensor(zero_point, at::TensorOptions().dtype(at::kByte)));
    append({.op = "QuantizeLinear",
            .inputs = {last_, &scale_value, &zero_value},
            .outputs = {stem + ".codes"},
            .name = "q_" + stem});
    append({.op = "DequantizeLinear",
            .inputs = {last_, &scale_value, &zero_value},
            .name = "dq_" + stem});
  }

  [[nodiscard]] Value* last() const { return last_; }

  void add(std::string name, Value* other) {
    append({.op = "Add", .inputs = {last_, other}, .name = std::move(name)});
  }

  ir::Graph finish(std::int64_t classes = 10) {
    graph_.rename(*last_, "logits");
    last_->set_type({tensor::DType::Float32, tensor::Shape{{std::nullopt, "N"}, {classes, ""}}});
    graph_.add_output(*last_);
    return std::move(graph_);
  }

 private:
  void append(ir::NodeSpec spec) { last_ = graph_.add_node(std::move(spec)).output(); }

  [[nodiscard]] tensor::QuantParams weight_params(const Layer& layer) const {
    const tensor::QuantGrid grid{.bits = 8, .is_signed = true, .narrow = true};
    tensor::QuantParams params{.grid = grid, .scale = {}, .zero_point = {}, .axis = 0};
    for (std::int64_t channel = 0; channel < layer.sizes[0]; ++channel) {
      params.scale.push_back(static_cast<float>(layer.limit / 127));
      params.zero_point.push_back(0);
    }
    return params;
  }

  Value* quantized_weight(const Layer& layer) {
    const tensor::QuantParams params = weight_params(layer);
    const Tensor codes = tensor::quantize(layer.weight(), params).to(at::kChar);
    return dequantized(layer.name + ".weight", codes, at::tensor(params.scale));
  }

  Value* quantized_bias(const Layer& layer) {
    const Tensor scale = at::tensor(weight_params(layer).scale) * scale_;
    const Tensor codes = (layer.bias() / scale).round().to(at::kInt);
    return dequantized(layer.name + ".bias", codes, scale);
  }

  Value* dequantized(const std::string& name, const Tensor& codes, const Tensor& scale) {
    Value& code_value = graph_.add_initializer(name + ".codes", codes);
    Value& scale_value = graph_.add_initializer(name + ".scale", scale);
    Value& zero_value =
        graph_.add_initializer(name + ".zero", scale.mul(0).to(codes.scalar_type()));
    return graph_
        .add_node({.op = "DequantizeLinear",
                   .inputs = {&code_value, &scale_value, &zero_value},
                   .attributes = {{"axis", std::int64_t{0}}},
                   .name = "dq_" + name})
        .output();
  }

  ir::Graph graph_;
  Value* last_ = nullptr;
  float scale_ = 1;  ///< of the last quantizer
};

}  // namespace

ir::Graph float_net() {
  Chain chain;
  chain.weighted(kFirst, false);
  chain.op("Relu", "relu1");
  chain.weighted(kSecond, false);
  chain.op("Relu", "relu2");
  chain.op("GlobalAveragePool", "pool");
  chain.op("Flatten", "flatten");
  chain.weighted(kLast, false);
  return chain.finish();
}

ir::Graph quantized_net(const QuantizedNetOptions& options) {
  Chain chain;
  chain.quantize("input", 2.0F / 255, 128);
  chain.weighted(kFirst, true);
  chain.op("Relu", "relu1");
  chain.quantize("first", 2.0F / 255, 0);
  chain.weighted(kSecond, options.quantize_second);
  chain.op("Relu", "relu2");
  if (options.quantize_second) chain.quantize("second", 2.0F / 255, 0);
  chain.op("GlobalAveragePool", "pool");
  chain.quantize("pool", 1.0F / 255, 0);
  chain.op("Flatten", "flatten");
  chain.quantize("flatten", 1.0F / 255, 0);
  chain.weighted(kLast, true);
  chain.quantize("logits", 8.0F / 255, 128);
  return chain.finish();
}

ir::Graph quantized_residual_net() {
  Chain chain;
  chain.quantize("input", 2.0F / 255, 128);
  chain.weighted(kStem, true);
  chain.op("Relu", "relu0");
  chain.quantize("stem", 2.0F / 255, 0);
  Value* const skip = chain.last();
  // The convolution that the addition is fused into must not read the other summand itself.
  chain.weighted(kInner, true);
  chain.op("Relu", "relu_inner");
  chain.quantize("inner", 2.0F / 255, 0);
  chain.weighted(kResidual, true);
  chain.quantize("first", 6.0F / 255, 128);
  chain.add("add", skip);
  chain.op("Relu", "relu");
  chain.quantize("sum", 3.0F / 255, 0);
  chain.op("GlobalAveragePool", "pool");
  chain.quantize("pool", 1.0F / 255, 0);
  chain.op("Flatten", "flatten");
  return chain.finish(/*classes=*/8);
}

}  // namespace espalier::deploy
