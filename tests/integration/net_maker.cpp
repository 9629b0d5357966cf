#include "tests/integration/net_maker.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/TensorOperators.h>

#include "espalier/base/check.h"
#include "espalier/ir/verifier.h"
#include "espalier/onnx/shapes.h"
#include "tests/kit/tensors.h"

namespace espalier::prune_test {
namespace {

constexpr std::int64_t kBatch = 2;

std::int64_t product(const Sizes& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::int64_t{1}, std::multiplies<>{});
}

Sizes broadcast(const Sizes& left, const Sizes& right) {
  Sizes result = left.size() >= right.size() ? left : right;
  const Sizes& other = left.size() >= right.size() ? right : left;
  const std::size_t shift = result.size() - other.size();
  for (std::size_t axis = 0; axis < other.size(); ++axis) {
    result[axis + shift] = std::max(result[axis + shift], other[axis]);
  }
  return result;
}

}  // namespace

NetMaker::NetMaker(std::uint64_t seed) : seed_(seed) {
  graph_.opsets[""] = 17;
}

Wire NetMaker::image(std::int64_t channels, std::int64_t side, std::string name) {
  tensor::Shape shape = tensor::make_shape({1, channels, side, side});
  shape[0] = {.size = std::nullopt, .symbol = "N"};
  ir::Value& value =
      graph_.add_input(std::move(name), {.dtype = tensor::DType::Float32, .shape = shape});
  return {&value, {kBatch, channels, side, side}};
}

NetMaker& NetMaker::name_next(std::string name) {
  next_name_ = std::move(name);
  return *this;
}

Wire NetMaker::append(const std::string& op, const std::vector<ir::Value*>& inputs, Sizes sizes,
                      ir::Attributes attributes) {
  const std::string name = next_name_.empty() ? op + "_" + std::to_string(++count_) : next_name_;
  next_name_.clear();
  const ir::Node& node = graph_.add_node(
      {.op = op, .inputs = inputs, .attributes = std::move(attributes), .name = name});
  return {node.output(), std::move(sizes)};
}

ir::Value* NetMaker::integers(const Sizes& numbers) {
  return &graph_.add_initializer(graph_.unique_value_name("numbers"), kit::integers_of(numbers));
}

ir::Value* NetMaker::normal(const Sizes& sizes, double deviation) {
  const Tensor drawn = kit::random_tensor(sizes, ++seed_, {.normal = true}) * deviation;
  return &graph_.add_initializer(graph_.unique_value_name("weight"), drawn);
}

ir::Value* NetMaker::uniform(const Sizes& sizes, double low, double high) {
  return &graph_.add_initializer(graph_.unique_value_name("vector"),
                                 kit::random_tensor(sizes, ++seed_, {.low = low, .high = high}));
}

Wire NetMaker::conv(const Wire& input, const ConvOptions& options) {
  const std::int64_t width = input.channels() / options.groups;
  const std::int64_t kernel = options.kernel;
  const double fan_in = static_cast<double>(width * kernel * kernel);
  std::vector<ir::Value*> inputs{
      input.value, normal({options.filters, width, kernel, kernel}, std::sqrt(2.0 / fan_in))};
  if (options.bias) inputs.push_back(uniform({options.filters}, -0.5, 0.5));
  const std::int64_t side = (input.sizes[2] - 1) / options.stride + 1;
  const std::int64_t pad = kernel / 2;
  return append("Conv", inputs, {input.sizes[0], options.filters, side, side},
                {{"group", options.groups},
                 {"kernel_shape", ir::Ints{kernel, kernel}},
                 {"strides", ir::Ints{options.stride, options.stride}},
                 {"pads", ir::Ints{pad, pad, pad, pad}}});
}

Wire NetMaker::conv_sharing(const Wire& input, const Wire& output_of_other) {
  const ir::Node& other = *output_of_other.value->producer();
  Sizes sizes = input.sizes;
  sizes[1] = output_of_other.channels();
  return append("Conv", {input.value, other.input(1)}, sizes, other.attributes());
}

Wire NetMaker::depthwise(const Wire& input, std::int64_t multiplier) {
  return conv(
      input, {.filters = input.channels() * multiplier, .groups = input.channels(), .bias = false});
}

Wire NetMaker::conv_transpose(const Wire& input, std::int64_t filters, std::int64_t groups) {
  const double fan_in = static_cast<double>(input.channels() / groups);
  const std::vector<ir::Value*> inputs{
      input.value, normal({input.channels(), filters / groups, 2, 2}, std::sqrt(2.0 / fan_in)),
      uniform({filters}, -0.5, 0.5)};
  return append("ConvTranspose", inputs,
                {input.sizes[0], filters, 2 * input.sizes[2], 2 * input.sizes[3]},
                {{"group", groups}, {"kernel_shape", ir::Ints{2, 2}}, {"strides", ir::Ints{2, 2}}});
}

Wire NetMaker::batch_norm(const Wire& input) {
  const Sizes vector{input.channels()};
  return append("BatchNormalization",
                {input.value, uniform(vector, 0.5, 1.5), uniform(vector, -0.5, 0.5),
                 uniform(vector, -0.5, 0.5), uniform(vector, 0.5, 1.5)},
                input.sizes);
}

Wire NetMaker::conv_bn_relu(const Wire& input, const ConvOptions& options) {
  return relu(batch_norm(conv(input, options)));
}

Wire NetMaker::gemm(const Wire& input, std::int64_t outputs) {
  const std::int64_t size = input.sizes[1];
  return append("Gemm",
                {input.value, normal({outputs, size}, std::sqrt(2.0 / static_cast<double>(size))),
                 uniform({outputs}, -0.5, 0.5)},
                {input.sizes[0], outputs}, {{"transB", std::int64_t{1}}});
}

Wire NetMaker::linear(const Wire& input, std::int64_t outputs) {
  const std::int64_t size = input.sizes.back();
  Sizes sizes = input.sizes;
  sizes.back() = outputs;
  ir::Value* weight = normal({size, outputs}, std::sqrt(2.0 / static_cast<double>(size)));
  return append("MatMul", {input.value, weight}, sizes);
}

Wire NetMaker::mat_mul(const Wire& left, const Wire& right) {
  Sizes sizes = left.sizes;
  sizes.back() = right.sizes.back();
  return append("MatMul", {left.value, right.value}, sizes);
}

Wire NetMaker::unary(const std::string& op, const Wire& input, ir::Attributes attributes) {
  return append(op, {input.value}, input.sizes, std::move(attributes));
}

Wire NetMaker::binary(const std::string& op, const Wire& left, const Wire& right) {
  return append(op, {left.value, right.value}, broadcast(left.sizes, right.sizes));
}

Wire NetMaker::constant(const Sizes& sizes) {
  return {uniform(sizes, 0.5, 1.5), sizes};
}

Wire NetMaker::layer_norm(const Wire& input) {
  const Sizes vector{input.sizes.back()};
  return append("LayerNormalization",
                {input.value, uniform(vector, 0.5, 1.5), uniform(vector, -0.5, 0.5)}, input.sizes,
                {{"axis", std::int64_t{-1}}});
}

Wire NetMaker::group_norm(const Wire& input, std::int64_t groups) {
  // As exporters of opset 17 write it: statistics by InstanceNormalization of blocks.
  const Wire blocks = reshape(input, {groups, product(input.sizes) / input.sizes[0] / groups});
  const Wire normalized = append(
      "InstanceNormalization",
      {blocks.value, uniform({groups}, 1.0, 1.0001), uniform({groups}, 0.0, 0.0001)}, blocks.sizes);
  const Wire back = reshape(normalized, {input.sizes.begin() + 1, input.sizes.end()});
  return add(mul(back, constant({input.channels(), 1, 1})), constant({input.channels(), 1, 1}));
}

Wire NetMaker::concat(const std::vector<Wire>& inputs, std::int64_t axis) {
  std::vector<ir::Value*> values;
  Sizes sizes = inputs.at(0).sizes;
  auto& size = sizes.at(static_cast<std::size_t>(axis));
  size = 0;
  for (const Wire& input : inputs) {
    values.push_back(input.value);
    size += input.sizes.at(static_cast<std::size_t>(axis));
  }
  return append("Concat", values, sizes, {{"axis", axis}});
}

std::vector<Wire> NetMaker::split(const Wire& input, const Sizes& parts, std::int64_t axis) {
  const ir::Node& node = graph_.add_node({.op = "Split",
                                          .inputs = {input.value, integers(parts)},
                                          .outputs = std::vector<std::string>(parts.size()),
                                          .attributes = {{"axis", axis}},
                                          .name = "Split_" + std::to_string(++count_)});
  std::vector<Wire> wires;
  for (std::size_t index = 0; index < parts.size(); ++index) {
    Wire part{node.output(index), input.sizes};
    part.sizes[static_cast<std::size_t>(axis)] = parts[index];
    wires.push_back(std::move(part));
  }
  return wires;
}

Wire NetMaker::slice(const Wire& input, std::int64_t start, std::int64_t end, std::int64_t step) {
  Sizes sizes = input.sizes;
  sizes[1] = step > 0 ? (end - start - 1) / step + 1 : (start - end - 1) / -step + 1;
  return append("Slice",
                {input.value, integers({start}), integers({end < 0 ? -1000 : end}), integers({1}),
                 integers({step})},
                sizes);
}

Wire NetMaker::pad_channels(const Wire& input, std::int64_t front, std::int64_t back) {
  Sizes sizes = input.sizes;
  sizes[1] += front + back;
  return append("Pad", {input.value, integers({0, front, 0, 0, 0, back, 0, 0})}, sizes);
}

Wire NetMaker::gather(const Wire& input, const Sizes& indices) {
  Sizes sizes = input.sizes;
  sizes[1] = static_cast<std::int64_t>(indices.size());
  return append("Gather", {input.value, integers(indices)}, sizes, {{"axis", std::int64_t{1}}});
}

Wire NetMaker::reshape(const Wire& input, const Sizes& sizes) {
  Sizes target{0};
  Sizes known{input.sizes[0]};
  target.insert(target.end(), sizes.begin(), sizes.end());
  known.insert(known.end(), sizes.begin(), sizes.end());
  return append("Reshape", {input.value, integers(target)}, known);
}

Wire NetMaker::transpose(const Wire& input, const Sizes& order) {
  Sizes sizes;
  for (const std::int64_t axis : order) {
    sizes.push_back(input.sizes[static_cast<std::size_t>(axis)]);
  }
  return append("Transpose", {input.value}, sizes, {{"perm", order}});
}

Wire NetMaker::shuffle(const Wire& input, std::int64_t groups) {
  const std::int64_t height = input.sizes[2];
  const std::int64_t width = input.sizes[3];
  const Wire split = reshape(input, {groups, input.channels() / groups, height, width});
  return reshape(transpose(split, {0, 2, 1, 3, 4}), {input.channels(), height, width});
}

Wire NetMaker::flatten(const Wire& input) {
  return append("Flatten", {input.value}, {input.sizes[0], product(input.sizes) / input.sizes[0]});
}

Wire NetMaker::max_pool(const Wire& input) {
  Sizes sizes = input.sizes;
  sizes[2] /= 2;
  sizes[3] /= 2;
  return append("MaxPool", {input.value}, sizes,
                {{"kernel_shape", ir::Ints{2, 2}}, {"strides", ir::Ints{2, 2}}});
}

Wire NetMaker::global_average_pool(const Wire& input) {
  return append("GlobalAveragePool", {input.value}, {input.sizes[0], input.channels(), 1, 1});
}

Wire NetMaker::reduce(const std::string& op, const Wire& input, std::int64_t axis) {
  Sizes sizes = input.sizes;
  sizes[static_cast<std::size_t>(axis)] = 1;
  if (op == "ReduceSum") return append(op, {input.value, integers({axis})}, sizes);
  return append(op, {input.value}, sizes, {{"axes", ir::Ints{axis}}});
}

Wire NetMaker::upsample(const Wire& input) {
  Sizes sizes = input.sizes;
  sizes[2] *= 2;
  sizes[3] *= 2;
  ir::Value* scales =
      &graph_.add_initializer(graph_.unique_value_name("scales"), kit::tensor_of({1, 1, 2, 2}));
  return append("Resize", {input.value, nullptr, scales}, sizes,
                {{"mode", std::string("nearest")},
                 {"coordinate_transformation_mode", std::string("asymmetric")},
                 {"nearest_mode", std::string("floor")}});
}

Wire NetMaker::depth_to_space(const Wire& input, const std::string& mode) {
  const Sizes& from = input.sizes;
  return append("DepthToSpace", {input.value}, {from[0], from[1] / 4, from[2] * 2, from[3] * 2},
                {{"blocksize", std::int64_t{2}}, {"mode", mode}});
}

Wire NetMaker::space_to_depth(const Wire& input) {
  const Sizes& from = input.sizes;
  return append("SpaceToDepth", {input.value}, {from[0], from[1] * 4, from[2] / 2, from[3] / 2},
                {{"blocksize", std::int64_t{2}}});
}

Wire NetMaker::tile_channels(const Wire& input, std::int64_t copies) {
  Sizes sizes = input.sizes;
  sizes[1] *= copies;
  return append("Tile", {input.value, integers({1, copies, 1, 1})}, sizes);
}

Wire NetMaker::squeeze_excite(const Wire& input, std::int64_t middle) {
  const Wire pooled = global_average_pool(input);
  const Wire squeezed = relu(conv(pooled, {.filters = middle, .kernel = 1}));
  const Wire gate = conv(squeezed, {.filters = input.channels(), .kernel = 1});
  return mul(input, unary("Sigmoid", gate));
}

void NetMaker::output(const Wire& wire) {
  graph_.add_output(*wire.value);
}

ir::Graph NetMaker::finish() {
  onnx::infer_shapes(graph_);
  ir::verify_or_throw(graph_, "NetMaker");
  return std::move(graph_);
}

}  // namespace espalier::prune_test
