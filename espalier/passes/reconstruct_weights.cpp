#include "espalier/passes/reconstruct_weights.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <unordered_set>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cholesky_solve.h>
#include <ATen/ops/concat.h>
#include <ATen/ops/diag_embed.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/linalg_cholesky_ex.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"
#include "espalier/base/random.h"
#include "espalier/exec/program.h"
#include "espalier/passes/layer_patches.h"
#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::size_t kWeight = 1;

/// Sums behind the least-squares problem of every group of a layer.
struct NormalEquations {
  Tensor squares;      ///< sum x x^T: [groups, elements, elements]
  Tensor products;     ///< sum x y^T: [groups, elements, filters]
  double targets = 0;  ///< sum |y|^2

  void add(const Tensor& patches, const Tensor& outputs) {
    const Tensor flipped = patches.transpose(1, 2);
    const Tensor more_squares = at::bmm(flipped, patches);
    const Tensor more_products = at::bmm(flipped, outputs);
    squares = squares.defined() ? squares + more_squares : more_squares;
    products = products.defined() ? products + more_products : more_products;
    targets += outputs.square().sum().item<double>();
  }

  /// |y - W x| / |y| over all positions.
  [[nodiscard]] double error(const Tensor& solution) const {
    const Tensor through = at::bmm(squares, solution);
    const double square = (solution * through).sum().item<double>() -
                          2 * (solution * products).sum().item<double>() + targets;
    return targets > 0 ? std::sqrt(std::max(square, 0.0) / targets) : 0;
  }

  /// Nothing when the numbers are not finite.
  [[nodiscard]] std::optional<Tensor> solve(const Tensor& present, double ridge) const {
    const Tensor diagonal = squares.diagonal(0, 1, 2);
    constexpr double kLeast = 1e-12;  // Inputs that are always zero keep their weights.
    const Tensor pull = (diagonal.mean(1) * ridge).clamp_min(kLeast).unsqueeze(1);
    const Tensor left = squares + at::diag_embed(pull.expand_as(diagonal));
    const auto [factor, status] = at::linalg_cholesky_ex(left);
    if (status.ne(0).any().item<bool>()) return std::nullopt;
    const Tensor solution = at::cholesky_solve(products + present * pull.unsqueeze(2), factor);
    if (!solution.isfinite().all().item<bool>()) return std::nullopt;
    return solution;
  }
};

/// Values that differ from those of the original graph, by what was cut before them.
class Changes {
 public:
  Changes(const ir::Graph& graph, const ir::Graph& original) {
    for (const ir::Node* node : graph.nodes()) {
      const ir::Node* before = original.find_node(node->name());
      const bool changed =
          before == nullptr || std::ranges::any_of(node->inputs(), [&](auto* value) {
            return value != nullptr && (changed_.contains(value) || differs(*value, original));
          });
      if (!changed) continue;
      for (const ir::Value* output : node->outputs()) changed_.insert(output);
    }
  }
  [[nodiscard]] bool contains(const ir::Value* value) const { return changed_.contains(value); }

 private:
  static bool differs(const ir::Value& value, const ir::Graph& original) {
    if (!value.is_initializer()) return false;
    const ir::Value* before = original.find_value(value.name());
    return before == nullptr || !before->is_initializer() ||
           !at::equal(before->constant(), value.constant());
  }

  std::unordered_set<const ir::Value*> changed_;
};

/// The Add behind a layer whose output is used there alone, and its other side.
struct Sum {
  const ir::Value* result = nullptr;
  const ir::Value* other = nullptr;
};

std::optional<Sum> sum_behind(const ir::Node& node, const ir::Graph& original) {
  const ir::Value& output = *node.output();
  if (output.uses().size() != 1 || output.is_output()) return std::nullopt;
  const ir::Node& add = *output.uses().front().node;
  const ir::Node* before = original.find_node(add.name());
  if (!add.is("Add") || before == nullptr || !before->is("Add")) return std::nullopt;
  const ir::Value* other = add.input(0) == &output ? add.input(1) : add.input(0);
  const bool same_sizes = other != &output && !other->is_initializer() && other->type().shape &&
                          other->type() == output.type();
  if (!same_sizes) return std::nullopt;
  return Sum{.result = add.output(), .other = other};
}

/// One run of the algorithm.
class Reconstruction {
 public:
  Reconstruction(ir::Graph& graph, const ir::Graph& original, const prune::CutMap& cuts,
                 const std::vector<std::vector<Tensor>>& batches, const ReconstructOptions& options)
      : graph_(graph), original_(original), cuts_(cuts), batches_(batches), options_(options) {}

  ReconstructResult run() {
    const Changes changes(graph_, original_);
    ReconstructResult result;
    for (ir::Node* node : graph_.nodes()) {
      if (!changes.contains(node->input(0))) continue;
      base::stop_if_interrupted();
      std::string reason;
      const std::optional<LinearLayer> layer = linear_layer(*node, reason);
      if (layer) {
        if (const auto done = reconstruct(*node, *layer, reason)) result.layers.push_back(*done);
      }
      if (!reason.empty()) result.skipped.push_back({.node = node->name(), .reason = reason});
    }
    return result;
  }

 private:
  /// Runs what is needed of a graph to see these values, for one batch.
  static exec::TensorMap look(const exec::Program& program, const std::vector<Tensor>& inputs,
                              const std::vector<std::string>& names) {
    exec::TensorMap from;
    for (std::size_t index = 0; index < inputs.size(); ++index) {
      from.emplace(program.input_names().at(index), inputs[index]);
    }
    return program.run(from, names);
  }

  [[nodiscard]] Tensor kept_channels(const LinearLayer& layer, const Tensor& outputs) const {
    const auto cut = cuts_.find(layer.node->input(kWeight)->name());
    if (cut == cuts_.end()) return outputs;
    for (const prune::AxisCut& axis : cut->second) {
      if (axis.axis == layer.filter_axis) {
        return at::index_select(outputs, 1, at::tensor(axis.kept, at::kLong));
      }
    }
    return outputs;
  }

  [[nodiscard]] NormalEquations collect(const LinearLayer& layer, bool with_bias) const {
    const ir::Node& node = *layer.node;
    const std::string input = node.input(0)->name();
    const std::string output = node.output()->name();
    const std::optional<Sum> sum = sum_behind(node, original_);
    const std::string target = sum ? sum->result->name() : output;
    std::vector<std::string> own{input, output};
    if (sum) own.push_back(sum->other->name());
    const std::vector<std::string> before{target};
    const auto program = exec::Program::compile(graph_, {.taps = own});
    const auto reference = exec::Program::compile(original_, {.taps = before});
    NormalEquations equations;
    for (std::size_t index = 0; index < batches_.size(); ++index) {
      base::stop_if_interrupted();
      const exec::TensorMap now = look(program, batches_[index], own);
      const exec::TensorMap wanted = look(reference, batches_[index], before);
      const Positions positions = draw_positions(layer, now.at(output), options_.positions,
                                                 base::mix(options_.seed, index));
      Tensor outputs = kept_channels(layer, outputs_at(layer, wanted.at(target), positions));
      if (sum) outputs = outputs - outputs_at(layer, now.at(sum->other->name()), positions);
      Tensor patches = patches_at(layer, now.at(input), now.at(output), positions);
      if (with_bias) {
        const Tensor ones = at::ones({patches.size(0), patches.size(1), 1}, patches.options());
        patches = at::concat({patches, ones}, 2);
      }
      const std::int64_t filters = outputs.size(1) / layer.groups;
      equations.add(patches,
                    outputs.view({-1, layer.groups, filters}).transpose(0, 1).contiguous());
    }
    return equations;
  }

  /// True when the bias is the layer's own, one number a filter.
  static bool owns_bias(const ir::Node& node, std::int64_t filters) {
    const ir::Value* bias = node.input(kBiasInput);
    return bias != nullptr && bias->is_initializer() && bias->uses().size() == 1 &&
           bias->constant().numel() == filters &&
           bias->constant().numel() == bias->constant().size(-1);
  }

  std::optional<LayerReconstruction> reconstruct(ir::Node& node, const LinearLayer& layer,
                                                 std::string& reason) {
    const ir::Value* bias = node.input(kBiasInput);
    const Tensor weight = node.input(kWeight)->constant();
    const bool with_bias = owns_bias(node, weight.size(layer.filter_axis));
    if (bias != nullptr && !with_bias) {
      reason = "its bias is computed, shared or not one number a filter";
      return std::nullopt;
    }
    Tensor present = to_matrix(layer, weight);
    if (with_bias) {
      const Tensor row = bias->constant().to(at::kDouble).view({layer.groups, 1, -1});
      present = at::concat({present, row}, 1);
    }
    // The sums, one batch's share of them, the system and its factor.
    constexpr double kSquares = 4;
    const auto size = static_cast<double>(present.size(1));
    const double bytes = kSquares * static_cast<double>(present.size(0)) * size * size * 8;
    if (bytes > static_cast<double>(options_.max_bytes)) {
      reason = fmt::format("its {} inputs would need {:.1f} GiB", present.size(1),
                           bytes / static_cast<double>(1 << 30));
      return std::nullopt;
    }
    const NormalEquations equations = collect(layer, with_bias);
    const std::optional<Tensor> solution = equations.solve(present, options_.ridge);
    if (!solution) {
      reason = "its inputs or outputs are not finite";
      return std::nullopt;
    }
    const std::int64_t elements = present.size(1) - (with_bias ? 1 : 0);
    graph_.set_constant(*node.input(kWeight),
                        from_matrix(layer, solution->narrow(1, 0, elements), weight));
    if (with_bias) {
      const Tensor row = solution->narrow(1, elements, 1).reshape({-1});
      graph_.set_constant(
          *node.input(kBiasInput),
          row.to(bias->constant().scalar_type()).view_as(bias->constant()).contiguous());
    }
    return LayerReconstruction{.node = node.name(),
                               .error_before = equations.error(present),
                               .error_after = equations.error(*solution)};
  }

  ir::Graph& graph_;
  const ir::Graph& original_;
  const prune::CutMap& cuts_;
  const std::vector<std::vector<Tensor>>& batches_;
  const ReconstructOptions& options_;
};

}  // namespace

ReconstructResult reconstruct_weights(ir::Graph& graph, const ir::Graph& original,
                                      const prune::CutMap& cuts,
                                      const std::vector<std::vector<Tensor>>& batches,
                                      const ReconstructOptions& options) {
  base::check(!batches.empty(), "cannot reconstruct weights: there are no images");
  base::check(options.positions >= 1 && options.ridge > 0,
              "reconstruction: got {} positions and ridge {}, expected at least 1 and above 0",
              options.positions, options.ridge);
  const at::NoGradGuard no_gradients;
  return Reconstruction(graph, original, cuts, batches, options).run();
}

}  // namespace espalier::passes
