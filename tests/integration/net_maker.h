#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "espalier/ir/graph.h"

namespace espalier::prune_test {

using Sizes = std::vector<std::int64_t>;

/// A value with its sizes; the batch, which the graph leaves unknown, counts as 2.
struct Wire {
  ir::Value* value = nullptr;
  Sizes sizes;

  [[nodiscard]] std::int64_t channels() const { return sizes.at(1); }
};

struct ConvOptions {
  std::int64_t filters = 8;
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t groups = 1;
  bool bias = true;
};

/// Builds small graphs of opset 17 for pruning tests, node by node, with random initializers. Node
/// names are the operator's with a number ("Conv_3") unless name_next() was called.
class NetMaker {
 public:
  explicit NetMaker(std::uint64_t seed = 1);

  Wire image(std::int64_t channels, std::int64_t side = 8, std::string name = "x");
  /// The next node gets this name.
  NetMaker& name_next(std::string name);

  Wire conv(const Wire& input, const ConvOptions& options);
  /// As conv, with a weight that another layer has already.
  Wire conv_sharing(const Wire& input, const Wire& output_of_other);
  Wire depthwise(const Wire& input, std::int64_t multiplier = 1);
  Wire conv_transpose(const Wire& input, std::int64_t filters, std::int64_t groups = 1);
  Wire batch_norm(const Wire& input);
  Wire conv_bn_relu(const Wire& input, const ConvOptions& options);
  Wire gemm(const Wire& input, std::int64_t outputs);
  /// MatMul with a constant [last axis, outputs].
  Wire linear(const Wire& input, std::int64_t outputs);
  Wire mat_mul(const Wire& left, const Wire& right);
  Wire relu(const Wire& input) { return unary("Relu", input); }
  /// Any operator of one input that keeps sizes.
  Wire unary(const std::string& op, const Wire& input, ir::Attributes attributes = {});
  /// Elementwise with broadcasting.
  Wire binary(const std::string& op, const Wire& left, const Wire& right);
  Wire add(const Wire& left, const Wire& right) { return binary("Add", left, right); }
  Wire mul(const Wire& left, const Wire& right) { return binary("Mul", left, right); }
  /// A random constant in +-[0.5, 1.5].
  Wire constant(const Sizes& sizes);
  Wire layer_norm(const Wire& input);
  Wire group_norm(const Wire& input, std::int64_t groups);
  Wire concat(const std::vector<Wire>& inputs, std::int64_t axis = 1);
  std::vector<Wire> split(const Wire& input, const Sizes& parts, std::int64_t axis = 1);
  Wire slice(const Wire& input, std::int64_t start, std::int64_t end, std::int64_t step = 1);
  Wire pad_channels(const Wire& input, std::int64_t front, std::int64_t back);
  Wire gather(const Wire& input, const Sizes& indices);
  /// `sizes` without the batch.
  Wire reshape(const Wire& input, const Sizes& sizes);
  Wire transpose(const Wire& input, const Sizes& order);
  Wire shuffle(const Wire& input, std::int64_t groups);
  Wire flatten(const Wire& input);
  Wire max_pool(const Wire& input);
  Wire global_average_pool(const Wire& input);
  /// Over one axis, kept with size 1.
  Wire reduce(const std::string& op, const Wire& input, std::int64_t axis);
  Wire upsample(const Wire& input);
  Wire depth_to_space(const Wire& input, const std::string& mode = "DCR");
  Wire space_to_depth(const Wire& input);
  Wire tile_channels(const Wire& input, std::int64_t copies);
  /// Channel weights from pooled features, multiplied in.
  Wire squeeze_excite(const Wire& input, std::int64_t middle);

  void output(const Wire& wire);
  /// The graph with inferred types, verified.
  ir::Graph finish();

 private:
  Wire append(const std::string& op, const std::vector<ir::Value*>& inputs, Sizes sizes,
              ir::Attributes attributes = {});
  ir::Value* integers(const Sizes& numbers);
  ir::Value* normal(const Sizes& sizes, double deviation);
  ir::Value* uniform(const Sizes& sizes, double low, double high);

  ir::Graph graph_;
  std::uint64_t seed_;
  std::uint64_t count_ = 0;
  std::string next_name_;
};

}  // namespace espalier::prune_test
