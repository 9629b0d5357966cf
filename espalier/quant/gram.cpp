#include "espalier/quant/gram.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
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

/// At most `limit` different places of 0 to found - 1, evenly spread: multiples of the golden
/// section, which share no period with the sides of images, as a fixed step would.
std::vector<std::int64_t> spread_places(std::int64_t found, std::int64_t limit) {
  std::vector<std::int64_t> places(static_cast<std::size_t>(std::min(found, limit)));
  std::int64_t step = 1;
  if (found > limit) {
    constexpr double kGoldenSection = 0.6180339887498949;
    step = static_cast<std::int64_t>(kGoldenSection * static_cast<double>(found));
    while (std::gcd(step, found) != 1) ++step;
  }
  std::int64_t place = 0;
  for (std::int64_t& each : places) {
    each = place;
    place = (place + step) % found;
  }
  return places;
}

/// Windows of an image tensor [samples, channels, height, width].
class Windows {
 public:
  Windows(const Geometry& geometry, const Tensor& input)
      : geometry_(geometry),
        pads_(pads_for(geometry, input)),
        image_(input.permute({0, 2, 3, 1}).contiguous()) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
      const std::int64_t reach = (geometry.kernel[axis] - 1) * geometry.dilations[axis] + 1;
      const std::int64_t size =
          image_.size(static_cast<std::int64_t>(axis) + 1) + pads_[axis] + pads_[axis + 2];
      counts_[axis] = size < reach ? 0 : (size - reach) / geometry.strides[axis] + 1;
    }
  }

  [[nodiscard]] std::int64_t size() const { return image_.size(0) * counts_[0] * counts_[1]; }

  /// Writes window `place` as row `index` of `rows` [groups, positions, k], where k counts kernel
  /// rows, then kernel columns, then channels.
  void copy(std::int64_t place, std::int64_t index, Tensor& rows) const {
    const std::int64_t area = counts_[0] * counts_[1];
    const std::int64_t top = place % area / counts_[1] * geometry_.strides[0] - pads_[0];
    const std::int64_t left = place % counts_[1] * geometry_.strides[1] - pads_[1];
    const std::int64_t depth = image_.size(3) / geometry_.groups;
    float* target = rows.mutable_data_ptr<float>() + index * rows.size(2);
    for (std::int64_t down = 0; down < geometry_.kernel[0]; ++down) {
      for (std::int64_t right = 0; right < geometry_.kernel[1]; ++right, target += depth) {
        const float* pixel = find_pixel(place / area, top + down * geometry_.dilations[0],
                                        left + right * geometry_.dilations[1]);
        for (std::int64_t group = 0; group < geometry_.groups; ++group) {
          float* to = target + group * rows.stride(0);
          if (pixel == nullptr) {
            std::fill_n(to, depth, 0.0F);
          } else {
            std::copy_n(pixel + group * depth, depth, to);
          }
        }
      }
    }
  }

 private:
  /// The channels of a pixel; null in the padding.
  [[nodiscard]] const float* find_pixel(std::int64_t sample, std::int64_t row,
                                        std::int64_t column) const {
    if (row < 0 || row >= image_.size(1) || column < 0 || column >= image_.size(2)) return nullptr;
    return image_.const_data_ptr<float>() + sample * image_.stride(0) + row * image_.stride(1) +
           column * image_.stride(2);
  }

  const Geometry& geometry_;
  std::array<std::int64_t, 4> pads_;
  Tensor image_;  ///< [samples, height, width, channels]
  std::array<std::int64_t, 2> counts_{};
};

/// [groups, positions, k], at most `limit` positions, evenly spread; no others are copied.
Tensor rows_of(const Geometry& geometry, const Tensor& input, std::int64_t limit) {
  if (!geometry.convolution) {
    const Tensor all = input.reshape({-1, geometry.columns});
    return all.index_select(0, at::tensor(spread_places(all.size(0), limit))).unsqueeze(0);
  }
  const Windows windows(geometry, input);
  const std::vector<std::int64_t> places = spread_places(windows.size(), limit);
  Tensor rows =
      at::empty({geometry.groups, static_cast<std::int64_t>(places.size()), geometry.columns},
                input.options());
  for (std::size_t index = 0; index < places.size(); ++index) {
    windows.copy(places[index], static_cast<std::int64_t>(index), rows);
  }
  return rows;
}

/// products [groups, k, k] += rows^T rows. Of wide ones only the blocks on and right of the
/// diagonal are computed: see `mirrored`.
void add_products(const Tensor& rows, Tensor& products) {
  constexpr std::int64_t kBlock = 192;
  const std::int64_t columns = rows.size(2);
  if (rows.size(0) > 1 || columns <= kBlock) {
    products.baddbmm_(rows.transpose(1, 2), rows);
    return;
  }
  const Tensor values = rows[0];
  const Tensor sums = products[0];
  for (std::int64_t first = 0; first < columns; first += kBlock) {
    const std::int64_t height = std::min(kBlock, columns - first);
    const Tensor right = values.narrow(1, first, columns - first);
    sums.narrow(0, first, height)
        .narrow(1, first, columns - first)
        .addmm_(values.narrow(1, first, height).t(), right);
  }
}

/// The whole of symmetric matrices whose upper triangle is filled.
Tensor mirrored(const Tensor& upper) {
  return upper.triu() + upper.triu(1).transpose(1, 2);
}

/// Moments of columns in the order of `Windows::copy`, in the order of a row of the weight.
LayerMoments in_weight_order(const Geometry& geometry, LayerMoments moments) {
  if (!geometry.convolution) return moments;
  const std::int64_t area = geometry.kernel[0] * geometry.kernel[1];
  const Tensor order = at::arange(geometry.columns, at::kLong)
                           .reshape({area, geometry.columns / area})
                           .t()
                           .reshape({-1});
  return {.covariance = moments.covariance.index_select(1, order).index_select(2, order),
          .mean = moments.mean.index_select(1, order)};
}

/// Sums of one layer in one lane.
struct MomentSums {
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

  void add(MomentSums& sums, std::size_t layer, const Tensor& tensor) const {
    const Tensor rows = rows_of(layers_[layer].second, tensor.to(at::kFloat), options_.positions);
    if (!sums.products.defined()) {
      sums.products = at::zeros({rows.size(0), rows.size(2), rows.size(2)}, rows.options());
      sums.sum = at::zeros({rows.size(0), rows.size(2)}, rows.options());
    }
    add_products(rows, sums.products);
    sums.sum.add_(rows.sum(1));
    sums.positions += rows.size(1);
  }

  LayerMoments finish(std::size_t layer) {
    MomentSums total;
    for (auto& lane : lanes_) {
      const MomentSums& part = lane[layer];
      if (part.positions == 0) continue;
      total.products =
          total.products.defined() ? total.products.add_(part.products) : part.products;
      total.sum = total.sum.defined() ? total.sum.add_(part.sum) : part.sum;
      total.positions += part.positions;
    }
    base::check(total.positions > 0, "cannot collect moments: got no samples");
    const auto count = static_cast<double>(total.positions);
    const Tensor mean = total.sum / count;
    const Tensor covariance =
        mirrored(total.products) / count - mean.unsqueeze(2) * mean.unsqueeze(1);
    return in_weight_order(layers_[layer].second, {.covariance = covariance, .mean = mean});
  }

  const GramOptions& options_;
  std::vector<Layer> layers_;
  std::map<std::string, std::vector<std::size_t>, std::less<>> by_input_;
  exec::Program program_;
  MicroBatches batches_;
  std::array<std::vector<MomentSums>, kLanes> lanes_;
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
