#include "espalier/passes/check_cut.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isinf.h>
#include <ATen/ops/isnan.h>
#include <ATen/ops/logical_and.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "espalier/base/check.h"
#include "espalier/base/random.h"
#include "espalier/exec/program.h"
#include "espalier/ops/facts.h"
#include "espalier/passes/cut_channels.h"
#include "espalier/passes/draw_parameters.h"
#include "espalier/passes/mask_channels.h"

namespace espalier::passes {
namespace {

using Tensors = std::vector<Tensor>;

Tensors random_inputs(const ir::Graph& graph, const CheckCutOptions& options) {
  Tensors inputs;
  for (const ir::Value* input : graph.inputs()) {
    base::require_supported(input->type().shape.has_value(),
                            "cannot check the cut: the shape of input '{}' is not known",
                            input->name());
    std::vector<std::int64_t> sizes;
    for (const tensor::Dim& dim : *input->type().shape) {
      sizes.push_back(dim.size.value_or(sizes.empty() ? options.batch
                                                      : options.unknown_size.along(sizes.size())));
    }
    Tensor tensor = at::empty(sizes, at::kDouble);
    base::Random random(options.seed, base::mix(0x1b9ULL, inputs.size()));
    auto* data = tensor.data_ptr<double>();
    for (std::int64_t index = 0; index < tensor.numel(); ++index) data[index] = random.normal();
    const auto type = tensor::to_scalar_type(input->type().dtype);
    if (type && !at::isFloatingType(*type)) tensor = tensor.abs().to(*type);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

Tensors run(const ir::Graph& graph, const Tensors& inputs, tensor::DType dtype) {
  return exec::Program::compile(graph, {.dtype = dtype, .channels_last = false, .fuse = false})
      .run(inputs);
}

double rms(const Tensor& tensor) {
  return std::sqrt(tensor.to(at::kDouble).square().mean().item<double>());
}

/// Runs the masked graph with a look at every sum of activations.
void find_weakest(const ir::Graph& graph, const Tensors& inputs, CutCheck& check) {
  std::vector<const ir::Node*> sums;
  exec::CompileOptions compile{
      .dtype = tensor::DType::Float32, .channels_last = false, .fuse = false};
  for (const ir::Node* node : graph.nodes()) {
    if (!node->is("Add") && !node->is("Sum")) continue;
    sums.push_back(node);
    for (const ir::Value* input : node->inputs()) compile.taps.push_back(input->name());
    compile.taps.push_back(node->output()->name());
  }
  if (sums.empty()) return;
  std::unordered_map<std::string, double> sizes;
  const auto tap = [&](std::string_view name, const Tensor& tensor) {
    if (at::isFloatingType(tensor.scalar_type())) sizes[std::string(name)] = rms(tensor);
  };
  (void)exec::Program::compile(graph, compile).run(inputs, tap);
  for (const ir::Node* node : sums) {
    for (std::size_t port = 0; port < node->inputs().size(); ++port) {
      const auto operand = sizes.find(node->input(port)->name());
      const auto sum = sizes.find(node->output()->name());
      if (!ops::is_activation_input(*node, port) || operand == sizes.end() || sum == sizes.end()) {
        continue;
      }
      const double share = sum->second == 0 ? 1.0 : operand->second / sum->second;
      if (share >= check.weakest_share) continue;
      check.weakest_share = share;
      check.weakest_node = node->name();
    }
  }
}

/// The last weight of the graph that loses input channels, or else filters; null when there is none
/// that outputs depend on.
const prune::Axis* find_victim(const ir::Graph& graph, const prune::Removal& removal) {
  ir::Graph live = graph.clone();
  live.erase_dead();
  const prune::Axis* victim = nullptr;
  const auto consider = [&](const prune::Axis& axis) {
    const bool can_differ = axis.value->is_initializer() && removal.cuts(axis) &&
                            live.find_value(axis.value->name()) != nullptr;
    if (can_differ) victim = &axis;
  };
  for (const prune::LayerAxes& layer : removal.map().layers()) consider(layer.filters);
  const prune::Axis* filters = victim;
  victim = nullptr;
  for (const prune::LayerAxes& layer : removal.map().layers()) consider(layer.weight_inputs);
  return victim == nullptr ? filters : victim;
}

/// A cut whose victim keeps the position behind each one that it should keep.
std::optional<ir::Graph> cut_wrongly(const ir::Graph& graph, const prune::PrunePlan& plan,
                                     const std::optional<prune::CouplingChoices>& earlier) {
  ir::Graph wrong = graph.clone();
  const prune::ChannelMap map(wrong, earlier);
  const prune::Removal removal = prune::resolve(plan, map, wrong);
  const prune::Axis* victim = find_victim(wrong, removal);
  if (victim == nullptr) return std::nullopt;
  const std::string name = victim->value->name();
  const auto axis = static_cast<std::int64_t>(victim->axis);
  const Tensor before = victim->value->constant();
  const prune::CutMap cuts = cut_channels(wrong, removal);
  std::vector<prune::AxisCut> wrong_cuts = cuts.at(name);
  for (prune::AxisCut& cut : wrong_cuts) {
    if (cut.axis != axis) continue;
    for (std::int64_t& position : cut.kept) position = (position + 1) % cut.size;
  }
  wrong.set_constant(*wrong.find_value(name), prune::cut_tensor(before, wrong_cuts, name));
  return wrong;
}

/// The last computed floats in front of outputs that hold none: a class or a mask says little about
/// what it was chosen from.
std::vector<std::string> floats_before_outputs(const ir::Graph& graph) {
  std::vector<std::string> names;
  std::set<const ir::Value*> seen;
  std::vector<const ir::Value*> open;
  for (const ir::Value* output : graph.outputs()) {
    if (!tensor::is_floating(output->type().dtype)) open.push_back(output);
  }
  while (!open.empty()) {
    const ir::Value* value = open.back();
    open.pop_back();
    if (value == nullptr || value->producer() == nullptr || !seen.insert(value).second) continue;
    if (!tensor::is_floating(value->type().dtype)) {
      open.insert(open.end(), value->producer()->inputs().begin(),
                  value->producer()->inputs().end());
    } else if (!value->is_output()) {
      names.push_back(value->name());
    }
  }
  return names;
}

/// Makes values outputs that both graphs hold with the same sizes.
void show_values(ir::Graph& first, ir::Graph& second, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    ir::Value* one = first.find_value(name);
    ir::Value* other = second.find_value(name);
    if (one == nullptr || other == nullptr || one->type().shape != other->type().shape) continue;
    first.add_output(*one);
    second.add_output(*other);
  }
}

}  // namespace

double largest_difference(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected) {
  if (actual.size() != expected.size()) return HUGE_VAL;
  double largest = 0;
  for (std::size_t index = 0; index < expected.size(); ++index) {
    const Tensor wanted = expected[index].to(at::kDouble);
    const Tensor got = actual[index].to(at::kDouble);
    if (got.sizes() != wanted.sizes()) return HUGE_VAL;
    if (wanted.numel() == 0) continue;
    // Differences and sizes of elements that are not the same infinity on both sides.
    const Tensor same_infinity = at::logical_and(at::isinf(wanted), got == wanted);
    const double distance =
        at::where(same_infinity, 0.0, (got - wanted).abs()).max().item<double>();
    const double scale = at::where(same_infinity, 0.0, wanted.abs()).max().item<double>();
    const double relative = distance == 0 ? 0 : distance / scale;
    largest = std::max(largest, std::isfinite(relative) ? relative : HUGE_VAL);
  }
  return largest;
}

CutCheck check_cut(const ir::Graph& graph, const prune::PrunePlan& plan,
                   const CheckCutOptions& options) {
  ir::Graph drawn = graph.clone();
  // The model's id is that of its own parameters: check it before they are drawn.
  (void)prune::resolve(plan, prune::ChannelMap(drawn, options.earlier), drawn);
  prune::PrunePlan any_model = plan;
  any_model.model_id.clear();
  if (options.draw) draw_parameters(drawn, options.seed);
  ir::Graph cut = drawn.clone();
  ir::Graph masked = drawn.clone();
  cut_channels(cut, any_model, options.earlier);
  mask_channels(masked, any_model, options.earlier);

  const Tensors inputs = random_inputs(drawn, options);
  const std::vector<std::string> shown = floats_before_outputs(drawn);
  show_values(cut, masked, shown);
  CutCheck check;
  const Tensors reference = run(masked, inputs, tensor::DType::Float64);
  check.is_number = std::ranges::none_of(
      reference, [](const Tensor& output) { return at::isnan(output).any().item<bool>(); });
  check.difference64 = largest_difference(run(cut, inputs, tensor::DType::Float64), reference);
  check.difference32 = largest_difference(run(cut, inputs, tensor::DType::Float32),
                                          run(masked, inputs, tensor::DType::Float32));
  find_weakest(masked, inputs, check);
  if (auto wrong = cut_wrongly(drawn, any_model, options.earlier)) {
    for (std::size_t index = drawn.outputs().size(); index < cut.outputs().size(); ++index) {
      wrong->add_output(*wrong->find_value(cut.outputs()[index]->name()));
    }
    check.wrong_difference =
        largest_difference(run(*wrong, inputs, tensor::DType::Float64), reference);
  }
  check.passed = check.difference64 <= options.limit64 && check.difference32 <= options.limit32 &&
                 check.wrong_difference.value_or(HUGE_VAL) >= options.least_wrong &&
                 check.weakest_share >= options.least_share;
  return check;
}

}  // namespace espalier::passes
