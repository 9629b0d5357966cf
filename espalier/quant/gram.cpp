#include "espalier/quant/gram.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/List.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/index.h>
#include <ATen/ops/zeros.h>

#include "espalier/base/check.h"
#include "espalier/base/interrupt.h"
#include "espalier/exec/program.h"
#include "espalier/ops/facts.h"
#include "espalier/ops/weight.h"
#include "espalier/quant/micro_batches.h"

namespace espalier::quant {
namespace {

/// Independent accumulators: micro-batch i always adds to lane i % kLanes, in order, so that the
/// sums do not depend on the number of threads.
constexpr std::size_t kLanes = 2;

/// How the columns of a layer are cut out of its input.
struct Geometry {
  std::string input;
  bool convolution = false;
  std::int64_t groups = 1;
  std::int64_t columns = 0;  ///< k
  std::array<std::int64_t, 2> kernel{1, 1};
  std::array<std::int64_t, 2> strides{1, 1};
  std::array<std::int64_t, 2> dilations{1, 1};
  std::array<std::int64_t, 4> pads{0, 0, 0, 0};  ///< top, left, bottom, right
  std::string auto_pad = {};
};

template <std::size_t kSize>
void fill(std::array<std::int64_t, kSize>& target, const ir::Ints& values) {
  if (values.size() == kSize) std::ranges::copy(values, target.begin());
}

std::optional<Geometry> geometry_of(const ir::Node& node) {
  const auto port = ops::weight_port(node);
  if (!port || !node.input(*port)->is_initializer()) return std::nullopt;
  const Tensor& weight = node.input(*port)->constant();
  const ir::Value* input = node.input(*port == 0 ? 1 : 0);
  if (input == nullptr || input->is_initializer()) return std::nullopt;
  Geometry geometry{.input = input->name()};
  const ops::OpKind kind = ops::kind_of(node);
  if (kind == ops::OpKind::Gemm || (kind == ops::OpKind::MatMul && *port == 1)) {
    if (weight.dim() != 2 || node.get_int("transA", 0) != 0) return std::nullopt;
    geometry.columns = weight.numel() / weight.size(*ops::weight_axis(node));
    return geometry;
  }
  if (!node.is("Conv") || weight.dim() != 4) return std::nullopt;
  geometry.convolution = true;
  geometry.groups = node.get_int("group", 1);
  geometry.columns = weight.numel() / weight.size(0);
  geometry.kernel = {weight.size(2), weight.size(3)};
  fill(geometry.strides, node.get_ints("strides", {}));
  fill(geometry.dilations, node.get_ints("dilations", {}));
  fill(geometry.pads, node.get_ints("pads", {}));
  geometry.auto_pad = node.get_string("auto_pad", "NOTSET");
  return geometry;
}

/// Pads of "SAME_UPPER" and "SAME_LOWER": the output has ceil(size / stride) elements.
std::array<std::int64_t, 4> pads_for(const Geometry& geometry, const Tensor& input) {
  if (!geometry.auto_pad.starts_with("SAME")) return geometry.pads;
  std::array<std::int64_t, 4> pads{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t size = input.size(static_cast<std::int64_t>(axis) + 2);
    const std::int64_t stride = geometry.strides[axis];
    const std::int64_t reach = (geometry.kernel[axis] - 1) * geometry.dilations[axis] + 1;
    const std::int64_t total =
        std::max<std::int64_t>(((size + stride - 1) / stride - 1) * stride + reach - size, 0);
    const std::int64_t smaller = total / 2;
    const bool upper = geometry.auto_pad == "SAME_UPPER";
    pads[axis] = upper ? smaller : total - smaller;
    pads[axis + 2] = total - pads[axis];
  }
  return pads;
}

/// At most `limit` of the positions 0 to found - 1, evenly spread, with a step that shares no
/// factor with the sides of common images.
Tensor spread_places(std::int64_t found, std::int64_t limit) {
  if (found <= limit) return at::arange(found, at::kLong);
  return (at::arange(limit, at::kLong) * found).floor_divide(limit);
}

/// A view [samples, rows, columns, channels, kernel height, kernel width] of all windows of an
/// image tensor, without a copy.
Tensor windows_of(const Geometry& geometry, const Tensor& padded) {
  std::array<std::int64_t, 2> counts{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const std::int64_t reach = (geometry.kernel[axis] - 1) * geometry.dilations[axis] + 1;
    const std::int64_t size = padded.size(static_cast<std::int64_t>(axis) + 2);
    counts[axis] = size < reach ? 0 : (size - reach) / geometry.strides[axis] + 1;
  }
  const std::int64_t high = padded.stride(2);
  const std::int64_t wide = padded.stride(3);
  return padded.as_strided(
      {padded.size(0), counts[0], counts[1], padded.size(1), geometry.kernel[0],
       geometry.kernel[1]},
      {padded.stride(0), high * geometry.strides[0], wide * geometry.strides[1], padded.stride(1),
       high * geometry.dilations[0], wide * geometry.dilations[1]});
}

/// [groups, k, positions], at most `limit` positions; no others are copied.
Tensor columns_of(const Geometry& geometry, const Tensor& input, std::int64_t limit) {
  if (!geometry.convolution) {
    const Tensor rows = input.reshape({-1, geometry.columns});
    return rows.index_select(0, spread_places(rows.size(0), limit))
        .transpose(0, 1)
        .unsqueeze(0)
        .contiguous();
  }
  const auto pads = pads_for(geometry, input);
  const Tensor padded =
      at::constant_pad_nd(input.contiguous(), {pads[1], pads[3], pads[0], pads[2]});
  const Tensor windows = windows_of(geometry, padded);
  const std::int64_t wide = windows.size(2);
  const std::int64_t area = windows.size(1) * wide;
  const Tensor places = spread_places(windows.size(0) * area, limit);
  const Tensor inside = places.remainder(std::max<std::int64_t>(area, 1));
  const Tensor samples = places.floor_divide(std::max<std::int64_t>(area, 1));
  const Tensor rows = inside.floor_divide(std::max<std::int64_t>(wide, 1));
  const Tensor columns = inside.remainder(std::max<std::int64_t>(wide, 1));
  return at::index(windows, {samples, rows, columns})
      .reshape({places.numel(), geometry.groups, geometry.columns})
      .permute({1, 2, 0})
      .contiguous();
}

/// Sums of one layer in one lane.
struct Sums {
  Tensor products;  ///< [groups, k, k]
  Tensor sum;       ///< [groups, k]
  std::int64_t positions = 0;
};

class Collector {
 public:
  Collector(const ir::Graph& graph, std::span<const std::string> nodes, const BatchSource& next,
            const GramOptions& options)
      : options_(options),
        layers_(layers_of(graph, nodes)),
        program_(compile(graph)),
        batches_(next, options.samples, options.micro_batch) {
    for (auto& lane : lanes_) lane.resize(layers_.size());
    for (std::size_t lane = 0; lane < kLanes; ++lane) turn_[lane] = lane;
    for (std::size_t index = 0; index < layers_.size(); ++index) {
      by_input_[layers_[index].second.input].push_back(index);
    }
  }

  std::map<std::string, LayerMoments> run() {
    const int threads_before = at::get_num_threads();
    const auto count =
        std::clamp<std::size_t>(static_cast<std::size_t>(std::max(options_.threads, 1)), 1, kLanes);
    std::vector<std::thread> threads;
    for (std::size_t index = 0; index < count; ++index) threads.emplace_back([this] { work(); });
    for (std::thread& thread : threads) thread.join();
    at::set_num_threads(threads_before);
    if (failure_) std::rethrow_exception(failure_);
    std::map<std::string, LayerMoments> moments;
    for (std::size_t index = 0; index < layers_.size(); ++index) {
      moments[layers_[index].first] = finish(index);
    }
    return moments;
  }

 private:
  using Layer = std::pair<std::string, Geometry>;

  static std::vector<Layer> layers_of(const ir::Graph& graph, std::span<const std::string> nodes) {
    std::vector<Layer> layers;
    for (const std::string& name : nodes) {
      const ir::Node* node = graph.find_node(name);
      const auto geometry = node == nullptr ? std::nullopt : geometry_of(*node);
      base::check(geometry.has_value(),
                  "cannot collect moments of the node '{}': expected a convolution over two "
                  "dimensions or a product with a constant weight",
                  name);
      layers.emplace_back(name, *geometry);
    }
    return layers;
  }

  [[nodiscard]] exec::Program compile(const ir::Graph& graph) const {
    exec::CompileOptions compile_options;
    for (const Layer& layer : layers_) {
      auto& taps = compile_options.taps;
      if (std::ranges::find(taps, layer.second.input) == taps.end()) {
        taps.push_back(layer.second.input);
      }
    }
    return exec::Program::compile(graph, compile_options);
  }

  void work() {
    at::set_num_threads(1);
    try {
      while (const auto item = batches_.take()) {
        base::stop_if_interrupted();
        const std::size_t lane = item->index % kLanes;
        if (!wait_for_turn(lane, item->index)) return;
        (void)program_.run(item->inputs, [&](std::string_view value, const Tensor& tensor) {
          if (const auto place = by_input_.find(value); place != by_input_.end()) {
            for (const std::size_t layer : place->second) add(lanes_[lane][layer], layer, tensor);
          }
        });
        end_turn(lane, item->index);
      }
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
      ready_.notify_all();
    }
  }

  bool wait_for_turn(std::size_t lane, std::size_t index) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [&] { return failure_ || turn_[lane] == index; });
    return !failure_;
  }

  void end_turn(std::size_t lane, std::size_t index) {
    const std::lock_guard lock(mutex_);
    turn_[lane] = index + kLanes;
    ready_.notify_all();
  }

  void add(Sums& sums, std::size_t layer, const Tensor& tensor) const {
    const Tensor columns =
        columns_of(layers_[layer].second, tensor.to(at::kFloat), options_.positions);
    const Tensor products = at::bmm(columns, columns.transpose(1, 2));
    const Tensor sum = columns.sum(2);
    sums.products = sums.products.defined() ? sums.products.add_(products) : products;
    sums.sum = sums.sum.defined() ? sums.sum.add_(sum) : sum;
    sums.positions += columns.size(2);
  }

  LayerMoments finish(std::size_t layer) {
    Sums total;
    for (auto& lane : lanes_) {
      const Sums& part = lane[layer];
      if (part.positions == 0) continue;
      total.products =
          total.products.defined() ? total.products.add_(part.products) : part.products;
      total.sum = total.sum.defined() ? total.sum.add_(part.sum) : part.sum;
      total.positions += part.positions;
    }
    base::check(total.positions > 0, "cannot collect moments: got no samples");
    const auto count = static_cast<double>(total.positions);
    const Tensor mean = total.sum / count;
    const Tensor covariance = total.products / count - mean.unsqueeze(2) * mean.unsqueeze(1);
    return {.covariance = covariance.contiguous(), .mean = mean.contiguous()};
  }

  const GramOptions& options_;
  std::vector<Layer> layers_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_input_;
  exec::Program program_;
  MicroBatches batches_;
  std::array<std::vector<Sums>, kLanes> lanes_;
  std::array<std::size_t, kLanes> turn_{};
  std::mutex mutex_;
  std::condition_variable ready_;
  std::exception_ptr failure_;
};

}  // namespace

bool has_moments(const ir::Node& node) {
  return geometry_of(node).has_value();
}

std::uint64_t moment_bytes(const ir::Node& node) {
  const auto geometry = geometry_of(node);
  if (!geometry) return 0;
  const auto k = static_cast<std::uint64_t>(geometry->columns);
  constexpr std::uint64_t kCopies = kLanes + 1;  // the lanes and one product under way
  return kCopies * static_cast<std::uint64_t>(geometry->groups) * k * k * sizeof(float);
}

std::map<std::string, LayerMoments> collect_moments(const ir::Graph& graph,
                                                    std::span<const std::string> nodes,
                                                    const BatchSource& next,
                                                    const GramOptions& options) {
  return Collector(graph, nodes, next, options).run();
}

}  // namespace espalier::quant
