#include "espalier/train/reestimate_norms.h"

#include <cmath>
#include <map>
#include <string>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/square.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/interrupt.h"
#include "espalier/exec/program.h"

namespace espalier::train {
namespace {

constexpr std::size_t kMean = 3;
constexpr std::size_t kVariance = 4;

/// Count, mean and sum of squared deviations of each channel, in double.
struct Moments {
  std::int64_t count = 0;
  Tensor mean;
  Tensor deviations;

  /// Joins disjoint numbers (Chan, Golub and LeVeque, 1979).
  void add(const Moments& more) {
    if (count == 0) {
      *this = more;
      return;
    }
    const auto own = static_cast<double>(count);
    const auto other = static_cast<double>(more.count);
    const Tensor delta = more.mean - mean;
    mean = mean + delta * (other / (own + other));
    deviations = deviations + more.deviations + delta.square() * (own * other / (own + other));
    count += more.count;
  }
};

Moments moments_of(const Tensor& input) {
  std::vector<std::int64_t> others{0};
  for (std::int64_t axis = 2; axis < input.dim(); ++axis) others.push_back(axis);
  std::vector<std::int64_t> broadcast(static_cast<std::size_t>(input.dim()), 1);
  broadcast[1] = input.size(1);
  const Tensor numbers = input.to(at::kDouble);
  const Tensor mean = at::mean(numbers, others);
  const std::int64_t count = numbers.numel() / input.size(1);
  const Tensor variance = at::mean(at::square(numbers - mean.view(broadcast)), others);
  return {.count = count, .mean = mean, .deviations = variance * static_cast<double>(count)};
}

bool has_running_statistics(const ir::Node& node) {
  return node.is("BatchNormalization") && node.inputs().size() == 5 &&
         node.get_int("training_mode", 0) == 0;
}

/// The running statistics of one or more nodes.
struct Statistics {
  ir::Value* mean = nullptr;
  ir::Value* variance = nullptr;
  const ir::Node* node = nullptr;  ///< the first that reads them
  Moments moments = {};
};

/// All running statistics of a graph, and which value each is of.
class Collector {
 public:
  explicit Collector(const ir::Graph& graph) {
    std::map<std::pair<const ir::Value*, const ir::Value*>, std::size_t> known;
    std::map<const ir::Value*, std::size_t> owners;
    for (const ir::Node* node : graph.nodes()) {
      if (!has_running_statistics(*node)) continue;
      ir::Value* mean = node->input(kMean);
      ir::Value* variance = node->input(kVariance);
      check(*node, mean, "mean");
      check(*node, variance, "variance");
      const auto [place, fresh] = known.emplace(std::pair(mean, variance), statistics_.size());
      if (fresh) statistics_.push_back({.mean = mean, .variance = variance, .node = node});
      for (const ir::Value* value : {mean, variance}) {
        if (owners.emplace(value, place->second).first->second == place->second) continue;
        throw base::UnsupportedError(
            {.what = "cannot re-estimate batch normalization",
             .where = node->label(),
             .got = fmt::format("'{}', which another node pairs otherwise", value->name())});
      }
      readers_[node->input(0)->name()].push_back(place->second);
      ++norms_;
    }
  }

  [[nodiscard]] std::int64_t norms() const { return norms_; }
  [[nodiscard]] std::vector<std::string> taps() const {
    std::vector<std::string> names;
    for (const auto& [name, readers] : readers_) names.push_back(name);
    return names;
  }

  void observe(std::string_view value, const Tensor& tensor) {
    const auto readers = readers_.find(value);
    if (readers == readers_.end()) return;
    const Moments moments = moments_of(tensor);
    for (const std::size_t index : readers->second) statistics_[index].moments.add(moments);
  }

  /// Writes what was collected; checks everything first.
  void apply(ir::Graph& graph) const {
    for (const Statistics& statistics : statistics_) check_moments(statistics);
    for (const auto& [mean, variance, node, moments] : statistics_) {
      const Tensor var = moments.deviations / static_cast<double>(moments.count);
      graph.set_constant(*mean, moments.mean.to(mean->constant().scalar_type()));
      graph.set_constant(*variance, var.to(variance->constant().scalar_type()));
    }
  }

 private:
  static void check(const ir::Node& node, const ir::Value* value, std::string_view which) {
    if (value != nullptr && value->is_initializer()) return;
    throw base::UnsupportedError({.what = "cannot re-estimate batch normalization",
                                  .where = node.label(),
                                  .got = fmt::format("a running {} that is computed", which),
                                  .expected = "an initializer"});
  }

  static void check_moments(const Statistics& statistics) {
    const Moments& moments = statistics.moments;
    if (moments.count < 2) {
      throw base::UserError({.what = "cannot re-estimate batch normalization",
                             .where = statistics.node->label(),
                             .got = "a single number a channel, which has no variance",
                             .hint = "give more images"});
    }
    const Tensor sum = moments.mean + moments.deviations;
    if (at::isfinite(sum).all().item<bool>()) return;
    throw base::UserError(
        {.what = "cannot re-estimate batch normalization: its input is not finite",
         .where = statistics.node->label(),
         .hint = "look for a layer before it whose weights or images are not "
                 "finite"});
  }

  std::vector<Statistics> statistics_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> readers_;  ///< by input value
  std::int64_t norms_ = 0;
};

/// The graph with every BatchNormalization on the statistics of its batch.
ir::Graph with_batch_statistics(const ir::Graph& graph) {
  ir::Graph result = graph.clone();
  for (ir::Node* node : result.nodes()) {
    if (has_running_statistics(*node)) node->set("training_mode", std::int64_t{1});
  }
  return result;
}

}  // namespace

std::int64_t count_norms(const ir::Graph& graph) {
  std::int64_t count = 0;
  for (const ir::Node* node : graph.nodes()) count += has_running_statistics(*node) ? 1 : 0;
  return count;
}

ReestimateResult reestimate_norms(ir::Graph& graph, const NextInputs& next,
                                  const ReestimateOptions& options) {
  Collector collector(graph);
  ReestimateResult result{.norms = collector.norms()};
  if (result.norms == 0) return result;
  const at::NoGradGuard no_gradients;
  const exec::Program program = exec::Program::compile(
      with_batch_statistics(graph), {.dtype = options.dtype, .taps = collector.taps()});
  while (options.images == 0 || result.images < options.images) {
    base::stop_if_interrupted();
    const std::vector<Tensor> inputs = next();
    if (inputs.empty()) break;
    static_cast<void>(program.run(inputs, [&](std::string_view value, const Tensor& tensor) {
      collector.observe(value, tensor);
    }));
    result.images += inputs.front().size(0);
  }
  base::check(result.images > 0, "cannot re-estimate batch normalization: there are no images");
  collector.apply(graph);
  return result;
}

}  // namespace espalier::train
