#include "espalier/zoo/builder.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include "espalier/base/check.h"
#include "espalier/base/random.h"
#include "espalier/ir/verifier.h"
#include "espalier/tensor/parallel.h"

namespace espalier::zoo {
namespace {

using tensor::Dim;
using tensor::Shape;

constexpr std::int64_t kOpset = 17;

/// FNV-1a: the stream of an initializer follows from its name.
std::uint64_t stream_of(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char letter : name) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001B3ULL;
  }
  return hash;
}

std::string name_or(const std::string& given, const std::string& stem, std::string_view suffix) {
  return given.empty() ? fmt::format("{}{}", stem, suffix) : given;
}

/// Output size of a window that slides with a stride over one padded dimension.
std::int64_t window_size(std::int64_t size, std::int64_t kernel, const PoolOptions& options) {
  const std::int64_t room = size + 2 * options.padding - kernel;
  if (room < 0) return 0;
  std::int64_t count = room / options.stride + 1;
  // A window of ceil mode must start inside the input or its left padding.
  const bool partial = options.ceil_mode && room % options.stride != 0 &&
                       count * options.stride < size + options.padding;
  return partial ? count + 1 : count;
}

/// Normal values by Box and Muller, two from each pair of uniform numbers; threads seek to their
/// part of the stream.
void draw_normal(std::span<float> data, double deviation, std::uint64_t seed,
                 std::uint64_t stream) {
  constexpr std::int64_t kPairsPerTask = 16384;
  constexpr std::uint64_t kWordsPerPair = 4;
  const auto pairs = static_cast<std::int64_t>((data.size() + 1) / 2);
  at::parallel_for(0, pairs, kPairsPerTask, [&](std::int64_t begin, std::int64_t end) {
    base::Random random(seed, stream);
    random.seek(static_cast<std::uint64_t>(begin) * kWordsPerPair);
    for (std::int64_t pair = begin; pair < end; ++pair) {
      const double radius = deviation * std::sqrt(-2.0 * std::log(1.0 - random.uniform()));
      const double angle = 2.0 * std::numbers::pi * random.uniform();
      const auto index = static_cast<std::size_t>(2 * pair);
      data[index] = static_cast<float>(radius * std::cos(angle));
      if (index + 1 < data.size()) data[index + 1] = static_cast<float>(radius * std::sin(angle));
    }
  });
}

ir::Ints four(std::int64_t padding) {
  return {padding, padding, padding, padding};
}

}  // namespace

std::int64_t Flow::channels() const {
  return shape().at(1).size.value();
}

std::int64_t Flow::height() const {
  return shape().at(2).size.value();
}

std::string Flow::derived_name(std::string_view suffix) const {
  return builder_->graph().unique_node_name(fmt::format("{}_{}", value_->name(), suffix));
}

Flow Flow::apply(ir::NodeSpec spec, Shape shape) const {
  ir::Node& node = builder_->graph().add_node(std::move(spec));
  node.output()->set_type({.dtype = tensor::DType::Float32, .shape = std::move(shape)});
  return {*builder_, *node.output()};
}

Flow Flow::unary(std::string op, std::string_view suffix) const {
  return apply({.op = std::move(op), .inputs = {value_}, .name = derived_name(suffix)}, shape());
}

Flow Flow::binary(std::string op, const Flow& other, std::string name) const {
  // The other side may be one value a channel, as squeeze-and-excitation multiplies.
  bool fits = shape().size() == other.shape().size();
  for (std::size_t axis = 0; fits && axis < shape().size(); ++axis) {
    fits = shape()[axis] == other.shape()[axis] || other.shape()[axis].size == 1;
  }
  if (!fits) {
    throw base::UserError(
        {.what = fmt::format("cannot combine values by {}", op),
         .where = fmt::format("values '{}' and '{}'", value_->name(), other.value().name()),
         .got = fmt::format("shapes {} and {}", tensor::to_string(shape()),
                            tensor::to_string(other.shape()))});
  }
  if (name.empty()) name = derived_name(op == "Add" ? "add" : "mul");
  return apply({.op = std::move(op), .inputs = {value_, other.value_}, .name = std::move(name)},
               shape());
}

Flow Flow::conv(const ConvOptions& options) const {
  base::check(options.channels > 0 && options.groups > 0 && channels() % options.groups == 0 &&
                  options.channels % options.groups == 0,
              "node '{}' (Conv): {} inputs and {} outputs do not divide into {} groups",
              options.name, channels(), options.channels, options.groups);
  base::check(options.kernel > 0 && options.stride > 0 && options.dilation > 0,
              "node '{}' (Conv): kernel {}, stride {} and dilation {} must be at least 1",
              options.name, options.kernel, options.stride, options.dilation);
  const std::int64_t span = options.dilation * (options.kernel - 1) + 1;
  const std::int64_t padding = options.padding < 0 ? span / 2 : options.padding;
  const std::int64_t inputs = channels() / options.groups;
  const std::int64_t area = options.kernel * options.kernel;
  ir::Value& weight =
      builder_->weight(name_or(options.weight, options.name, ".weight"),
                       {options.channels, inputs, options.kernel, options.kernel}, options.init,
                       inputs * area, options.channels / options.groups * area);
  std::vector<ir::Value*> operands{value_, &weight};
  if (options.with_bias) {
    operands.push_back(
        &builder_->filled(name_or(options.bias, options.name, ".bias"), {options.channels}, 0.0F));
  }
  Shape output = shape();
  output[1].size = options.channels;
  for (std::size_t axis : {2U, 3U}) {
    const PoolOptions window{.stride = options.stride, .padding = padding};
    output[axis].size = window_size(output[axis].size.value(), span, window);
    base::check(output[axis].size.value() > 0,
                "node '{}' (Conv): the window of {} does not fit into the input {}", options.name,
                span, tensor::to_string(shape()));
  }
  return apply({.op = "Conv",
                .inputs = std::move(operands),
                .attributes = {{"dilations", ir::Ints{options.dilation, options.dilation}},
                               {"group", options.groups},
                               {"kernel_shape", ir::Ints{options.kernel, options.kernel}},
                               {"pads", four(padding)},
                               {"strides", ir::Ints{options.stride, options.stride}}},
                .name = options.name},
               std::move(output));
}

Flow Flow::batch_norm(const BatchNormOptions& options) const {
  const std::vector<std::int64_t> sizes{channels()};
  ir::Value& scale = builder_->filled(name_or(options.scale, options.name, ".scale"), sizes, 1.0F);
  ir::Value& offset =
      builder_->filled(name_or(options.offset, options.name, ".offset"), sizes, 0.0F);
  ir::Value& mean = builder_->filled(name_or(options.mean, options.name, ".mean"), sizes, 0.0F);
  ir::Value& variance =
      builder_->filled(name_or(options.variance, options.name, ".variance"), sizes, 1.0F);
  return apply({.op = "BatchNormalization",
                .inputs = {value_, &scale, &offset, &mean, &variance},
                .attributes = {{"epsilon", options.epsilon}, {"momentum", options.momentum}},
                .name = options.name},
               shape());
}

Flow Flow::relu() const {
  return unary("Relu", "relu");
}

Flow Flow::relu6() const {
  ir::Graph& graph = builder_->graph();
  const auto limit = [&](const std::string& name, float bound) -> ir::Value* {
    ir::Value* known = graph.find_value(name);
    return known != nullptr ? known : &builder_->filled(name, {}, bound);
  };
  return apply({.op = "Clip",
                .inputs = {value_, limit("relu6_low", 0.0F), limit("relu6_high", 6.0F)},
                .name = derived_name("relu6")},
               shape());
}

Flow Flow::sigmoid() const {
  return unary("Sigmoid", "sigmoid");
}

Flow Flow::hard_swish() const {
  return unary("HardSwish", "hard_swish");
}

Flow Flow::add(const Flow& other, std::string name) const {
  return binary("Add", other, std::move(name));
}

Flow Flow::mul(const Flow& other, std::string name) const {
  return binary("Mul", other, std::move(name));
}

Flow Flow::concat(const std::vector<Flow>& others, std::string name) const {
  if (name.empty()) name = derived_name("concat");
  ir::NodeSpec spec{.op = "Concat", .inputs = {value_}, .attributes = {{"axis", std::int64_t{1}}}};
  Shape output = shape();
  for (const Flow& other : others) {
    Shape expected = shape();
    expected[1] = other.shape().at(1);
    base::check(other.shape() == expected, "node '{}' (Concat): shapes {} and {} do not fit", name,
                tensor::to_string(shape()), tensor::to_string(other.shape()));
    spec.inputs.push_back(other.value_);
    output[1].size = output[1].size.value() + other.channels();
  }
  spec.name = std::move(name);
  return apply(std::move(spec), std::move(output));
}

Flow Flow::pool(std::string op, const PoolOptions& options) const {
  std::string name = options.name.empty() ? derived_name("pool") : options.name;
  base::check(options.kernel > 0 && options.stride > 0 && options.padding >= 0 &&
                  options.padding < options.kernel,
              "node '{}' ({}): kernel {}, stride {}, padding {} is no window", name, op,
              options.kernel, options.stride, options.padding);
  Shape output = shape();
  for (std::size_t axis : {2U, 3U}) {
    output[axis].size = window_size(output[axis].size.value(), options.kernel, options);
    base::check(output[axis].size.value() > 0,
                "node '{}' ({}): the window of {} does not fit into the input {}", name, op,
                options.kernel, tensor::to_string(shape()));
  }
  ir::Attributes attributes{{"ceil_mode", std::int64_t{options.ceil_mode ? 1 : 0}},
                            {"kernel_shape", ir::Ints{options.kernel, options.kernel}},
                            {"pads", four(options.padding)},
                            {"strides", ir::Ints{options.stride, options.stride}}};
  if (op == "AveragePool") {
    attributes["count_include_pad"] = std::int64_t{options.count_padding ? 1 : 0};
  }
  return apply({.op = std::move(op),
                .inputs = {value_},
                .attributes = std::move(attributes),
                .name = std::move(name)},
               std::move(output));
}

Flow Flow::max_pool(const PoolOptions& options) const {
  return pool("MaxPool", options);
}

Flow Flow::average_pool(const PoolOptions& options) const {
  return pool("AveragePool", options);
}

Flow Flow::global_average_pool() const {
  Shape output = shape();
  output[2] = output[3] = {.size = 1, .symbol = {}};
  return apply({.op = "GlobalAveragePool", .inputs = {value_}, .name = derived_name("global_pool")},
               std::move(output));
}

Flow Flow::flatten() const {
  std::int64_t features = 1;
  for (std::size_t axis = 1; axis < shape().size(); ++axis) features *= shape()[axis].size.value();
  return apply({.op = "Flatten",
                .inputs = {value_},
                .attributes = {{"axis", std::int64_t{1}}},
                .name = derived_name("flatten")},
               {shape()[0], {.size = features, .symbol = {}}});
}

Flow Flow::dropout(float ratio) const {
  const std::string name = derived_name("dropout");
  base::check(ratio >= 0.0F && ratio < 1.0F, "node '{}' (Dropout): ratio {} is not in [0, 1)", name,
              ratio);
  ir::Value& share = builder_->filled(name + ".ratio", {}, ratio);
  return apply({.op = "Dropout", .inputs = {value_, &share}, .name = name}, shape());
}

Flow Flow::gemm(const GemmOptions& options) const {
  base::check(shape().size() == 2 && options.outputs > 0,
              "node '{}' (Gemm): input {} and {} outputs; flatten first", options.name,
              tensor::to_string(shape()), options.outputs);
  ir::Value& weight =
      builder_->weight(name_or(options.weight, options.name, ".weight"),
                       {options.outputs, channels()}, options.init, channels(), options.outputs);
  const bool drawn = options.init == Init::FanInUniform;
  ir::Value& bias =
      builder_->weight(name_or(options.bias, options.name, ".bias"), {options.outputs},
                       drawn ? options.init : Init::Zeros, channels(), options.outputs);
  return apply({.op = "Gemm",
                .inputs = {value_, &weight, &bias},
                .attributes = {{"alpha", 1.0F}, {"beta", 1.0F}, {"transB", std::int64_t{1}}},
                .name = options.name},
               {shape()[0], {.size = options.outputs, .symbol = {}}});
}

Builder::Builder(std::string model_name, std::uint64_t seed) : seed_(seed) {
  graph_.name = std::move(model_name);
  graph_.producer = "espalier";
  graph_.opsets[""] = kOpset;
}

Flow Builder::image(std::string name, std::int64_t channels, std::int64_t height,
                    std::int64_t width) {
  Shape shape = tensor::make_shape({0, channels, height, width});
  shape[0] = {.size = std::nullopt, .symbol = "batch"};
  return {*this, graph_.add_input(std::move(name),
                                  {.dtype = tensor::DType::Float32, .shape = std::move(shape)})};
}

ir::Value& Builder::weight(std::string name, const std::vector<std::int64_t>& sizes, Init init,
                           std::int64_t fan_in, std::int64_t fan_out) {
  if (init == Init::Zeros) return filled(std::move(name), sizes, 0.0F);
  Tensor values = at::empty(sizes, at::kFloat);
  const std::span<float> data(values.mutable_data_ptr<float>(),
                              static_cast<std::size_t>(values.numel()));
  const std::uint64_t stream = stream_of(name);
  if (init == Init::KaimingNormal) {
    draw_normal(data, std::sqrt(2.0 / static_cast<double>(fan_out)), seed_, stream);
  } else {
    const double square = init == Init::KaimingUniform ? 6.0 : 1.0;
    const double bound = std::sqrt(square / static_cast<double>(fan_in));
    base::Random random(seed_, stream);
    std::ranges::generate(data, [&] { return static_cast<float>(random.uniform(-bound, bound)); });
  }
  return graph_.add_initializer(std::move(name), std::move(values));
}

ir::Value& Builder::filled(std::string name, const std::vector<std::int64_t>& sizes, float fill) {
  return graph_.add_initializer(std::move(name), at::full(sizes, fill, at::kFloat));
}

ir::Graph Builder::finish(const Flow& output, std::string output_name) {
  graph_.rename(output.value(), std::move(output_name));
  graph_.add_output(output.value());
  ir::verify_or_throw(graph_, "the builder");
  return std::exchange(graph_, ir::Graph());
}

}  // namespace espalier::zoo
