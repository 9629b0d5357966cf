#include "espalier/passes/draw_parameters.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <set>

#include <ATen/ops/empty.h>

#include "espalier/base/random.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"

namespace espalier::passes {
namespace {

enum class Role { Weight, Scale, Offset, Mean, Variance };

constexpr std::size_t kScalePort = 1;
constexpr std::size_t kMeanPort = 3;

Role role_of(const ir::Node& node, std::size_t port) {
  const ops::OpFacts& facts = *ops::find(node);
  if (ops::contains(facts.running_statistics, port) && facts.running_statistics != ops::kNoPorts) {
    return port == kMeanPort ? Role::Mean : Role::Variance;
  }
  if (ops::weight_port(node) == port) return Role::Weight;
  if (facts.kind == ops::OpKind::Normalization) {
    return port == kScalePort ? Role::Scale : Role::Offset;
  }
  return node.is("Mul") ? Role::Scale : Role::Offset;
}

/// Products that each output element of the node sums up.
double fan_in(const ir::Node& node, const Tensor& weight) {
  const auto axis = ops::weight_axis(node);
  const std::int64_t filters = axis ? weight.size(*axis) : 1;
  const bool is_transposed = ops::kind_of(node) == ops::OpKind::ConvTranspose;
  const std::int64_t groups = is_transposed ? node.get_int("group", 1) : 1;
  const std::int64_t inputs = weight.numel() / std::max<std::int64_t>(filters, 1);
  return std::max(1.0, static_cast<double>(inputs) / static_cast<double>(groups));
}

bool is_sum_of_activations(const ir::Node& node) {
  std::size_t activations = 0;
  for (std::size_t port = 0; port < node.inputs().size(); ++port) {
    activations += ops::is_activation_input(node, port) ? 1 : 0;
  }
  return (node.is("Add") || node.is("Sum")) && activations > 1;
}

/// Operators that give their input times a number, elsewhere or in parts.
bool keeps_proportions(const ir::Node& node) {
  constexpr std::array kOperators{"Mul",     "Div",     "Identity",  "Cast",
                                  "Dropout", "Reshape", "Transpose", "Squeeze",
                                  "Flatten", "Slice",   "Pad",       "Unsqueeze"};
  return std::ranges::any_of(kOperators, [&](const char* op) { return node.is(op); });
}

/// True when what the node computes is added to other activations before another layer or
/// normalization sees it; `directly`: with nothing but factors in between.
bool ends_a_branch(const ir::Node& node, std::set<const ir::Node*>& seen, bool directly = false) {
  constexpr std::size_t kMostNodes = 32;
  if (node.output() == nullptr) return false;
  for (const ir::Use& use : node.output()->uses()) {
    const ir::Node& next = *use.node;
    if (seen.size() >= kMostNodes || !seen.insert(&next).second) continue;
    if (ops::weight_port(next) || ops::kind_of(next) == ops::OpKind::Normalization ||
        next.is("Concat")) {
      continue;
    }
    if (is_sum_of_activations(next)) return true;
    if (directly && !keeps_proportions(next)) continue;
    if (ends_a_branch(next, seen, directly)) return true;
  }
  return false;
}

/// How large the results of a node are drawn. Branches of residual networks stay below their trunk:
/// what doubles in every block ends in gates that jump at the last bit.
double size_of_results(const ir::Node& node) {
  constexpr double kBranch = 0.2;
  std::set<const ir::Node*> seen;
  const bool decides = ops::weight_port(node) || ops::kind_of(node) == ops::OpKind::Normalization;
  return decides && ends_a_branch(node, seen) ? kBranch : 1.0;
}

/// Port of a number that shuts the branch it multiplies or divides, as gains that start at zero do
/// (ReZero, Bachlechner et al., UAI 2021): a constant of one element that leaves next to nothing of
/// what is added. Small numbers elsewhere (the count in a variance) are none.
std::optional<std::size_t> shut_gain(const ir::Node& node) {
  constexpr double kOpen = 0.01;
  const bool divides = node.is("Div");
  if (!node.is("Mul") && !divides) return std::nullopt;
  for (std::size_t port = divides ? 1 : 0; port < node.inputs().size(); ++port) {
    const ir::Value* value = ops::initializer_behind(node.input(port));
    if (value == nullptr || value->constant().numel() != 1) continue;
    if (!value->constant().is_floating_point()) continue;
    std::set<const ir::Node*> seen;
    const double number = std::abs(value->constant().item<double>());
    const bool shuts = divides ? number > 1 / kOpen : number < kOpen;
    if (shuts && ends_a_branch(node, seen, /*directly=*/true)) return port;
  }
  return std::nullopt;
}

/// What is drawn for one initializer.
struct Drawing {
  Role role = Role::Weight;
  double deviation = 1;  ///< of weights
  double size = 1;       ///< factor of everything that results scale with
};

double draw(const Drawing& drawing, base::Random& random) {
  switch (drawing.role) {
    case Role::Weight:
      return drawing.size * drawing.deviation * random.normal();
    case Role::Scale: {
      const double magnitude = random.uniform(0.5, 1.5);
      return drawing.size * (random.uniform() < 0.5 ? -magnitude : magnitude);
    }
    case Role::Variance:
      return random.uniform(0.5, 1.5);
    case Role::Offset:
      return drawing.size * random.uniform(-0.5, 0.5);
    case Role::Mean:
      break;
  }
  return random.uniform(-0.5, 0.5);
}

std::uint64_t stream_of(const std::string& name) {
  std::uint64_t stream = 0;
  for (const char letter : name) stream = base::mix(stream, static_cast<unsigned char>(letter));
  return stream;
}

Tensor draw_like(const Tensor& tensor, const Drawing& drawing, base::Random random) {
  Tensor drawn = at::empty(tensor.sizes(), at::kDouble);
  auto* data = drawn.data_ptr<double>();
  for (std::int64_t index = 0; index < drawn.numel(); ++index) {
    data[index] = draw(drawing, random);
  }
  return drawn.to(tensor.scalar_type());
}

}  // namespace

std::size_t draw_parameters(ir::Graph& graph, std::uint64_t seed) {
  std::set<const ir::Value*> drawn;
  for (ir::Node* node : graph.nodes()) {
    std::vector<std::size_t> ports = ops::trainable_inputs(*node);
    for (const std::size_t port : ops::running_statistics_inputs(*node)) ports.push_back(port);
    const std::optional<std::size_t> gain = shut_gain(*node);
    if (gain) ports.push_back(*gain);
    for (const std::size_t port : ports) {
      ir::Value* value = ops::initializer_behind(node->input(port));
      if (!drawn.insert(value).second) continue;
      const Role role = port == gain ? Role::Scale : role_of(*node, port);
      const bool is_weight = role == Role::Weight;
      const Drawing drawing{
          .role = role,
          .deviation = is_weight ? std::sqrt(2.0 / fan_in(*node, value->constant())) : 0.0,
          .size = size_of_results(*node)};
      const base::Random random(seed, stream_of(value->name()));
      graph.set_constant(*value, draw_like(value->constant(), drawing, random));
    }
  }
  return drawn.size();
}

}  // namespace espalier::passes
