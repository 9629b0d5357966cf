#include "tests/exec/nets.h"

#include "tests/kit/tensors.h"

namespace espalier::kit {
namespace {

class NetBuilder {
 public:
  ir::Graph graph;

  ir::Value* constant(const std::string& name, const Sizes& sizes, const Draw& draw = {}) {
    return &graph.add_initializer(name, random_tensor(sizes, ++seed_, draw));
  }

  ir::Value* node(const std::string& op, const std::string& name, std::vector<ir::Value*> inputs,
                  ir::Attributes attributes = {}) {
    ir::Node& made = graph.add_node({.op = op,
                                     .inputs = std::move(inputs),
                                     .outputs = {name + "_out"},
                                     .attributes = std::move(attributes),
                                     .name = name});
    return made.output();
  }

  ir::Value* conv(const std::string& name, ir::Value* input, const Sizes& weight,
                  std::int64_t group) {
    return node("Conv", name, {input, constant(name + ".weight", weight, {.normal = true})},
                {{"kernel_shape", ir::Ints{weight[2], weight[3]}},
                 {"pads", ir::Ints(4, weight[2] / 2)},
                 {"group", group}});
  }

  ir::Value* batch_norm(const std::string& name, ir::Value* input, std::int64_t channels) {
    const Draw positive{.low = 0.5, .high = 2};
    return node("BatchNormalization", name,
                {input, constant(name + ".scale", {channels}, positive),
                 constant(name + ".bias", {channels}), constant(name + ".mean", {channels}),
                 constant(name + ".var", {channels}, positive)});
  }

 private:
  std::uint64_t seed_ = 100;
};

}  // namespace

ir::Graph residual_net() {
  NetBuilder net;
  const tensor::Shape shape{{std::nullopt, "N"}, {3, ""}, {12, ""}, {12, ""}};
  ir::Value* x = &net.graph.add_input("x", {tensor::DType::Float32, shape});
  ir::Value* stem =
      net.node("Relu", "relu1", {net.batch_norm("bn1", net.conv("conv1", x, {8, 3, 3, 3}, 1), 8)});
  ir::Value* low = &net.graph.add_initializer("low", tensor_of({0}, {}));
  ir::Value* high = &net.graph.add_initializer("high", tensor_of({6}, {}));
  ir::Value* depthwise =
      net.node("Clip", "clip2",
               {net.batch_norm("bn2", net.conv("conv2", stem, {8, 1, 3, 3}, 8), 8), low, high});
  ir::Value* branch = net.batch_norm("bn3", net.conv("conv3", depthwise, {8, 8, 1, 1}, 1), 8);
  ir::Value* sum = net.node("Relu", "relu3", {net.node("Add", "add3", {branch, stem})});
  ir::Value* pooled = net.node("GlobalAveragePool", "pool", {sum});
  ir::Value* flat = net.node("Flatten", "flat", {pooled});
  ir::Value* y = net.node("Gemm", "fc",
                          {flat, net.constant("fc.weight", {5, 8}), net.constant("fc.bias", {5})},
                          {{"transB", std::int64_t{1}}});
  net.graph.rename(*y, "y");
  net.graph.add_output(*y);
  return std::move(net.graph);
}

Tensor images(std::int64_t count, std::uint64_t seed) {
  return random_tensor({count, 3, 12, 12}, seed, {.normal = true});
}

}  // namespace espalier::kit
