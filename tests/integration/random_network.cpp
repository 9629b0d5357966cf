#include "tests/integration/random_network.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "espalier/base/random.h"
#include "tests/integration/net_maker.h"

namespace espalier::prune_test {
namespace {

constexpr std::int64_t kMostChannels = 32;

/// Grows one graph. Wires are [batch, channels, side, side]; sides are 2, 4 or 8.
class Grower {
 public:
  explicit Grower(std::uint64_t seed) : random_(seed, 17), net_(seed) {}

  ir::Graph grow() {
    const std::int64_t inputs = 1 + below(2);
    for (std::int64_t index = 0; index < inputs; ++index) {
      const Wire image = net_.image(1 + below(4), 8, "x" + std::to_string(index));
      keep(net_.conv(image, {.filters = 4 + below(12), .kernel = odd()}));
    }
    const std::int64_t steps = 4 + below(16);
    for (std::int64_t step = 0; step < steps; ++step) (void)grow_once();
    const std::int64_t outputs = 1 + below(2);
    for (std::int64_t index = 0; index < outputs; ++index)
      end_with(pool_.at(pool_.size() - 1 -
                        std::min<std::size_t>(static_cast<std::size_t>(index), pool_.size() - 1)));
    return net_.finish();
  }

 private:
  using Step = std::optional<Wire> (Grower::*)(const Wire& wire);

  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(bound)));
  }
  std::int64_t odd() { return 1 + 2 * below(2); }
  void keep(const Wire& wire) { pool_.push_back(wire); }
  /// Late wires more often than early ones.
  const Wire& pick() {
    const std::size_t size = pool_.size();
    const std::size_t back = std::min(random_.below(size), random_.below(size));
    return pool_[size - 1 - back];
  }

  bool grow_once() {
    static constexpr std::array<Step, 36> kSteps{
        &Grower::conv,        &Grower::conv,         &Grower::conv,       &Grower::grouped,
        &Grower::grouped,     &Grower::depthwise,    &Grower::transposed, &Grower::batch_norm,
        &Grower::batch_norm,  &Grower::activation,   &Grower::activation, &Grower::residual,
        &Grower::residual,    &Grower::residual,     &Grower::sum,        &Grower::sum,
        &Grower::pooled_gate, &Grower::layer_scale,  &Grower::concat,     &Grower::concat,
        &Grower::concat,      &Grower::split,        &Grower::slice,      &Grower::pad,
        &Grower::gather,      &Grower::merged_space, &Grower::linear,     &Grower::shuffle,
        &Grower::squeeze,     &Grower::channel_sum,  &Grower::normalized, &Grower::pool,
        &Grower::upsample,    &Grower::blocks,       &Grower::tile,       &Grower::attention};
    const Step step = kSteps[static_cast<std::size_t>(below(kSteps.size()))];
    const Wire wire = pick();
    const auto grown = (this->*step)(wire);
    if (!grown || grown->channels() < 1 || grown->channels() > kMostChannels) return false;
    keep(*grown);
    return true;
  }

  std::optional<Wire> conv(const Wire& wire) {
    const std::int64_t stride = wire.sizes[2] > 2 && below(4) == 0 ? 2 : 1;
    return net_.conv(
        wire, {.filters = 2 + below(14), .kernel = odd(), .stride = stride, .bias = below(2) == 0});
  }

  std::optional<Wire> grouped(const Wire& wire) {
    const std::int64_t channels = wire.channels();
    std::vector<std::int64_t> divisors;
    for (std::int64_t groups = 2; groups <= channels; ++groups) {
      if (channels % groups == 0) divisors.push_back(groups);
    }
    if (divisors.empty()) return std::nullopt;
    const std::int64_t groups =
        divisors[static_cast<std::size_t>(below(static_cast<std::int64_t>(divisors.size())))];
    const std::int64_t filters = groups * (1 + below(3));
    if (filters > kMostChannels) return std::nullopt;
    if (wire.sizes[2] < 8 && below(3) == 0) return net_.conv_transpose(wire, filters, groups);
    return net_.conv(wire, {.filters = filters, .kernel = odd(), .groups = groups});
  }

  std::optional<Wire> depthwise(const Wire& wire) {
    const std::int64_t multiplier = 1 + below(2);
    if (wire.channels() * multiplier > kMostChannels) return std::nullopt;
    return net_.depthwise(wire, multiplier);
  }

  std::optional<Wire> transposed(const Wire& wire) {
    if (wire.sizes[2] >= 8) return std::nullopt;
    return net_.conv_transpose(wire, 2 + below(10));
  }

  std::optional<Wire> batch_norm(const Wire& wire) { return net_.batch_norm(wire); }

  std::optional<Wire> activation(const Wire& wire) {
    static constexpr std::array<std::string_view, 8> kNames{
        "Relu", "Sigmoid", "HardSwish", "Tanh", "LeakyRelu", "Softplus", "Elu", "Abs"};
    return net_.unary(std::string(kNames[static_cast<std::size_t>(below(kNames.size()))]), wire);
  }

  /// A branch back to the same number of channels.
  std::optional<Wire> residual(const Wire& wire) {
    const Wire inner = net_.relu(net_.conv(wire, {.filters = 2 + below(10), .kernel = odd()}));
    return net_.add(wire, net_.conv(inner, {.filters = wire.channels(), .kernel = 1}));
  }

  std::optional<Wire> sum(const Wire& wire) {
    const Wire other = pick();
    if (other.value == wire.value || other.sizes[2] != wire.sizes[2]) return std::nullopt;
    static constexpr std::array<std::string_view, 4> kNames{"Add", "Sub", "Max", "Mul"};
    const std::string op(kNames[static_cast<std::size_t>(below(kNames.size()))]);
    if (other.channels() == wire.channels()) return net_.binary(op, wire, other);
    return net_.binary(op, wire, net_.conv(other, {.filters = wire.channels(), .kernel = 1}));
  }

  /// Broadcast over space, from another wire's pooled features.
  std::optional<Wire> pooled_gate(const Wire& wire) {
    const Wire pooled = net_.global_average_pool(pick());
    return net_.mul(
        wire, net_.unary("Sigmoid", net_.conv(pooled, {.filters = wire.channels(), .kernel = 1})));
  }

  std::optional<Wire> layer_scale(const Wire& wire) {
    const Wire scaled = net_.mul(wire, net_.constant({wire.channels(), 1, 1}));
    return below(2) == 0 ? scaled : net_.add(net_.constant({1, wire.channels(), 1, 1}), scaled);
  }

  std::optional<Wire> concat(const Wire& wire) {
    std::vector<Wire> parts{wire};
    std::int64_t channels = wire.channels();
    const std::int64_t wanted = 1 + below(2);
    for (int attempt = 0; attempt < 6; ++attempt) {
      const Wire& other = pick();
      if (other.sizes[2] != wire.sizes[2] || channels + other.channels() > kMostChannels) continue;
      parts.push_back(other);
      channels += other.channels();
      if (static_cast<std::int64_t>(parts.size()) > wanted) break;
    }
    if (parts.size() < 2) return std::nullopt;
    return net_.concat(parts);
  }

  std::optional<Wire> split(const Wire& wire) {
    if (wire.channels() < 3) return std::nullopt;
    const std::int64_t first = 1 + below(wire.channels() - 1);
    const auto parts = net_.split(wire, {first, wire.channels() - first});
    keep(parts[0]);
    return parts[1];
  }

  std::optional<Wire> slice(const Wire& wire) {
    const std::int64_t channels = wire.channels();
    if (channels < 4) return std::nullopt;
    const std::int64_t start = below(channels / 2);
    const std::int64_t step = 1 + below(3);
    if (below(4) == 0) return net_.slice(wire, channels - 1, start, -step);
    return net_.slice(wire, start, channels - below(2), step);
  }

  std::optional<Wire> pad(const Wire& wire) { return net_.pad_channels(wire, below(4), below(4)); }

  std::optional<Wire> gather(const Wire& wire) {
    Sizes indices(static_cast<std::size_t>(wire.channels()));
    std::iota(indices.begin(), indices.end(), 0);
    random_.shuffle(std::span(indices));
    indices.resize(1 + static_cast<std::size_t>(below(wire.channels())));
    if (below(2) == 0) indices.push_back(indices.front());
    return net_.gather(wire, indices);
  }

  /// [N, C, H, W] as [N, C, HW] and back, with something along the way.
  std::optional<Wire> merged_space(const Wire& wire) {
    const std::int64_t side = wire.sizes[2];
    const std::int64_t channels = wire.channels();
    const Wire flat = net_.reshape(wire, {channels, side * side});
    const Wire scaled = net_.mul(flat, net_.constant({channels, 1}));
    if (below(2) == 0) return net_.reshape(scaled, {channels, side, side});
    const Wire summed = net_.reduce("ReduceSum", scaled, 2);
    return net_.mul(wire, net_.reshape(summed, {channels, 1, 1}));
  }

  std::optional<Wire> linear(const Wire& wire) {
    const Wire last = net_.transpose(wire, {0, 2, 3, 1});
    const std::int64_t middle = 2 + below(14);
    const Wire wide = net_.add(net_.linear(last, middle), net_.constant({middle}));
    return net_.transpose(net_.linear(net_.relu(wide), 2 + below(10)), {0, 3, 1, 2});
  }

  std::optional<Wire> shuffle(const Wire& wire) {
    for (const std::int64_t groups : {2 + below(3), std::int64_t{2}, std::int64_t{3}}) {
      if (wire.channels() % groups == 0) return net_.shuffle(wire, groups);
    }
    return std::nullopt;
  }

  std::optional<Wire> squeeze(const Wire& wire) { return net_.squeeze_excite(wire, 1 + below(6)); }

  /// Spatial weights from a sum over channels.
  std::optional<Wire> channel_sum(const Wire& wire) {
    static constexpr std::array<std::string_view, 4> kNames{"ReduceSum", "ReduceL2", "ReduceL1",
                                                            "ReduceMean"};
    const auto index = static_cast<std::size_t>(below(kNames.size()));
    const Wire summed = net_.reduce(std::string(kNames[index]), wire, 1);
    return net_.mul(wire, net_.unary("Sigmoid", summed));
  }

  std::optional<Wire> normalized(const Wire& wire) {
    switch (below(4)) {
      case 0:
        return net_.unary("Softmax", wire, {{"axis", std::int64_t{1}}});
      case 1:
        return net_.transpose(net_.layer_norm(net_.transpose(wire, {0, 2, 3, 1})), {0, 3, 1, 2});
      case 2:
        return net_.unary("LpNormalization", wire,
                          {{"axis", std::int64_t{1}}, {"p", std::int64_t{2}}});
      default:
        return wire.channels() % 2 == 0 ? std::optional(net_.group_norm(wire, 2)) : std::nullopt;
    }
  }

  std::optional<Wire> pool(const Wire& wire) {
    if (wire.sizes[2] < 4) return std::nullopt;
    return net_.max_pool(wire);
  }

  std::optional<Wire> upsample(const Wire& wire) {
    if (wire.sizes[2] > 4) return std::nullopt;
    return net_.upsample(wire);
  }

  std::optional<Wire> blocks(const Wire& wire) {
    if (wire.channels() * 4 <= kMostChannels && wire.sizes[2] >= 4) {
      return net_.space_to_depth(wire);
    }
    if (wire.channels() % 4 != 0 || wire.sizes[2] > 4) return std::nullopt;
    return net_.depth_to_space(wire, below(2) == 0 ? "DCR" : "CRD");
  }

  std::optional<Wire> tile(const Wire& wire) {
    if (wire.channels() * 2 > kMostChannels) return std::nullopt;
    return net_.tile_channels(wire, 2);
  }

  std::optional<Wire> attention(const Wire& wire) {
    const std::int64_t side = wire.sizes[2];
    if (side > 4) return std::nullopt;
    const std::int64_t places = side * side;
    const auto project = [&](std::int64_t filters) {
      return net_.reshape(net_.conv(wire, {.filters = filters, .kernel = 1}), {filters, places});
    };
    const std::int64_t size = 2 + below(6);
    const std::int64_t out = 2 + below(6);
    const Wire query = net_.transpose(project(size), {0, 2, 1});
    const Wire map = net_.unary("Softmax", net_.mat_mul(query, project(size)));
    const Wire read = net_.mat_mul(project(out), net_.transpose(map, {0, 2, 1}));
    return net_.reshape(read, {out, side, side});
  }

  void end_with(const Wire& wire) {
    switch (below(3)) {
      case 0:
        return net_.output(net_.conv(wire, {.filters = 3, .kernel = 1}));
      case 1:
        return net_.output(net_.gemm(net_.flatten(wire), 3));
      default:
        return net_.output(net_.gemm(net_.flatten(net_.global_average_pool(wire)), 3));
    }
  }

  base::Random random_;
  NetMaker net_;
  std::vector<Wire> pool_;
};

}  // namespace

ir::Graph random_network(std::uint64_t seed) {
  return Grower(seed).grow();
}

}  // namespace espalier::prune_test
