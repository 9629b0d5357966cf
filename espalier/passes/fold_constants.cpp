#include "espalier/passes/fold_constants.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string_view>

#include "espalier/base/error.h"
#include "espalier/base/log.h"
#include "espalier/exec/program.h"
#include "espalier/ops/facts.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::array<std::string_view, 7> kRandomOps{
    "Bernoulli",     "Multinomial",       "RandomNormal", "RandomNormalLike",
    "RandomUniform", "RandomUniformLike", "Dropout"};

/// Operators whose attributes can make the result larger than all operands together.
constexpr std::array<std::string_view, 10> kGrowingOps{
    "AveragePool", "CenterCropPad", "Conv", "ConvTranspose", "LpPool",
    "MaxPool",     "MaxUnpool",     "Pad",  "Resize",        "Upsample"};

std::int64_t bytes_of(const Tensor& tensor) {
  return tensor.numel() * static_cast<std::int64_t>(tensor.element_size());
}

std::int64_t saturating_product(std::int64_t left, std::int64_t right) {
  std::int64_t product = 0;
  return __builtin_mul_overflow(left, right, &product) ? std::numeric_limits<std::int64_t>::max()
                                                       : product;
}

/// The one output that is used; null when there is none or several, or it is a graph output.
ir::Value* live_output(const ir::Node& node) {
  ir::Value* live = nullptr;
  for (ir::Value* output : node.outputs()) {
    if (output == nullptr || (output->uses().empty() && !output->is_output())) continue;
    if (live != nullptr || output->is_output()) return nullptr;
    live = output;
  }
  return live;
}

bool is_foldable(const ir::Node& node) {
  if (!node.domain().empty() || live_output(node) == nullptr) return false;
  if (std::ranges::find(kRandomOps, node.op()) != kRandomOps.end()) return false;
  const ops::OpKind kind = ops::kind_of(node);
  if (kind == ops::OpKind::Quantize || kind == ops::OpKind::Opaque) return false;
  bool any = node.is("Constant");
  for (const ir::Value* input : node.inputs()) {
    if (input == nullptr) continue;
    if (!input->is_initializer()) return false;
    any = true;
  }
  return any;
}

std::int64_t input_bytes(const ir::Node& node) {
  std::int64_t total = 0;
  for (const ir::Value* input : node.inputs()) {
    if (input != nullptr) total += bytes_of(input->constant());
  }
  return total;
}

/// Product of the entries of an integer constant, as the number of elements it asks for.
std::int64_t requested_elements(const ir::Value* shape) {
  const auto sizes = constant_ints(shape);
  std::int64_t product = 1;
  for (const std::int64_t size : sizes.value_or(ir::Ints{})) {
    product = saturating_product(product, std::max<std::int64_t>(size, 1));
  }
  return product;
}

/// Steps of a Range, at most what fits.
std::int64_t range_length(const ir::Node& node) {
  const auto start = constant_number(node.input(0));
  const auto limit = constant_number(node.input(1));
  const auto delta = constant_number(node.input(2));
  if (!start || !limit || !delta || *delta == 0) return std::numeric_limits<std::int64_t>::max();
  const double steps = (*limit - *start) / *delta;
  return steps < 1e15 ? static_cast<std::int64_t>(std::max(steps, 0.0)) + 1
                      : std::numeric_limits<std::int64_t>::max();
}

/// An upper bound of the result's elements that needs no computation: the type's shape where it is
/// known, otherwise from the operands (every operator of the catalogue gives at most the product of
/// its operands' sizes, except those that are told a size).
std::int64_t bound_elements(const ir::Node& node, const ir::Value& output) {
  if (node.is("ConstantOfShape")) return requested_elements(node.input(0));
  if (node.is("Range")) return range_length(node);
  if (output.type().shape) {
    const auto elements = tensor::num_elements(*output.type().shape);
    if (elements) return *elements;
  }
  std::int64_t product = 1;
  for (const ir::Value* input : node.inputs()) {
    if (input == nullptr) continue;
    const std::int64_t size = std::max<std::int64_t>(input->constant().numel(), 2);
    product = saturating_product(product, size);
  }
  const bool told_size = node.is("Expand") || node.is("Tile") || node.is("OneHot");
  if (told_size) product = saturating_product(product, requested_elements(node.input(1)));
  const bool grows = std::ranges::find(kGrowingOps, node.op()) != kGrowingOps.end();
  return grows ? std::numeric_limits<std::int64_t>::max() : product;
}

exec::CompileOptions compile_options(const ir::Node& node) {
  const bool is_double = std::ranges::any_of(node.inputs(), [](const ir::Value* input) {
    return input != nullptr && input->constant().scalar_type() == at::kDouble;
  });
  return {.dtype = is_double ? tensor::DType::Float64 : tensor::DType::Float32,
          .channels_last = false,
          .fuse = false};
}

/// Runs the node on its own. Nothing when no kernel takes it: the graph's user then hears of it
/// from whoever runs the graph.
std::optional<Tensor> evaluate(const ir::Graph& graph, const ir::Node& node,
                               const ir::Value& output) {
  ir::Graph alone;
  alone.opsets = graph.opsets;
  ir::NodeSpec spec{
      .op = node.op(), .inputs = {}, .outputs = {}, .attributes = node.attributes(), .name = "n"};
  for (const ir::Value* input : node.inputs()) {
    ir::Value* image = nullptr;
    if (input != nullptr) {
      image = alone.find_value(input->name());
      if (image == nullptr) image = &alone.add_initializer(input->name(), input->constant());
    }
    spec.inputs.push_back(image);
  }
  for (const ir::Value* result : node.outputs()) {
    spec.outputs.emplace_back(result == nullptr ? "-" : result->name());
  }
  const ir::Node& image = alone.add_node(std::move(spec));
  image.output(output.output_index())->set_type(output.type());
  alone.add_output(*image.output(output.output_index()));
  try {
    const auto program = exec::Program::compile(alone, compile_options(node));
    return program.run(std::span<const Tensor>{}).at(0);
  } catch (const base::Error& error) {
    base::log_debug("{} is not folded: {}", node.label(), error.what());
    return std::nullopt;
  }
}

/// The result in the type that the graph declares; nothing when that type is unknown and the
/// executor may have changed it.
std::optional<Tensor> in_declared_type(const Tensor& result, const ir::Node& node,
                                       const ir::Value& output) {
  const auto declared = tensor::to_scalar_type(output.type().dtype);
  if (declared && (*declared == result.scalar_type() || at::isFloatingType(*declared))) {
    return result.to(*declared).contiguous().clone();
  }
  if (declared) return std::nullopt;
  const bool has_half = std::ranges::any_of(node.inputs(), [](const ir::Value* input) {
    return input != nullptr && at::isReducedFloatingType(input->constant().scalar_type());
  });
  if (has_half) return std::nullopt;
  return result.contiguous().clone();
}

/// Bytes that the result exceeds its inputs by, or nothing when the node stays.
std::optional<std::int64_t> fold(ir::Graph& graph, ir::Node& node, std::int64_t max_bytes) {
  ir::Value& output = *live_output(node);
  const std::int64_t before = input_bytes(node);
  const std::int64_t limit = std::max(max_bytes, before);
  constexpr std::int64_t kLargestElement = 8;
  const std::int64_t size = std::max<std::int64_t>(tensor::element_size(output.type().dtype), 0);
  const std::int64_t bound =
      saturating_product(bound_elements(node, output), size == 0 ? kLargestElement : size);
  if (bound > limit) return std::nullopt;
  const auto result = evaluate(graph, node, output);
  if (!result || bytes_of(*result) > limit) return std::nullopt;
  const auto typed = in_declared_type(*result, node, output);
  if (!typed) return std::nullopt;
  const std::string name = output.name();
  ir::Value& constant = graph.add_initializer(graph.unique_value_name(name), *typed);
  graph.replace_all_uses(output, constant);
  graph.erase(node);
  graph.rename(constant, name);
  return bytes_of(*typed) - before;
}

std::size_t fold_constants_in(ir::Graph& graph, const FoldConstantsOptions& options) {
  std::size_t changes = 0;
  std::int64_t growth = 0;
  for (ir::Node* node : graph.nodes()) {
    if (!is_foldable(*node)) continue;
    const std::int64_t rest = options.max_growth_bytes - growth;
    const auto grown = fold(graph, *node, std::min(options.max_result_bytes, rest));
    if (!grown) continue;
    growth += std::max<std::int64_t>(*grown, 0);
    ++changes;
  }
  if (changes != 0) graph.erase_dead();
  return changes;
}

}  // namespace

Pass fold_constants(const FoldConstantsOptions& options) {
  return {.name = "fold_constants",
          .apply = [options](ir::Graph& graph) { return fold_constants_in(graph, options); }};
}

}  // namespace espalier::passes
