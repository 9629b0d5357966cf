#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "espalier/ir/graph.h"
#include "espalier/tensor/shape.h"

namespace espalier::zoo {

/// How the values of a weight are drawn (bounds and deviations follow from its fan).
enum class Init {
  KaimingNormal,   ///< normal, deviation sqrt(2 / fan_out) (He et al., ICCV 2015)
  KaimingUniform,  ///< uniform in +-sqrt(6 / fan_in)
  FanInUniform,    ///< uniform in +-1/sqrt(fan_in): Paddle's and PyTorch's fully connected layers
  Zeros
};

/// A convolution with square kernel. Empty initializer names become "<name>.weight", "<name>.bias".
struct ConvOptions {
  std::string name;
  std::int64_t channels = 0;  ///< output channels
  std::int64_t kernel = 3;
  std::int64_t stride = 1;
  std::int64_t padding = -1;  ///< on every side; -1: keeps the size at stride 1
  std::int64_t dilation = 1;
  std::int64_t groups = 1;
  bool with_bias = false;
  Init init = Init::KaimingNormal;
  std::string weight = {};
  std::string bias = {};
};

/// Empty initializer names become "<name>.scale", ".offset", ".mean", ".variance".
struct BatchNormOptions {
  std::string name;
  float epsilon = 1e-5F;
  float momentum = 0.9F;  ///< ONNX's sense: running = momentum * running + (1 - momentum) * batch
  std::string scale = {};
  std::string offset = {};
  std::string mean = {};
  std::string variance = {};
};

/// A pooling window. `name` empty: made from the producer's.
struct PoolOptions {
  std::int64_t kernel = 2;
  std::int64_t stride = 2;
  std::int64_t padding = 0;
  bool ceil_mode = false;
  bool count_padding = false;  ///< average only: padding counts in the divisor
  std::string name = {};
};

/// A fully connected layer, weight [outputs, inputs] (Gemm with transB = 1). Empty initializer
/// names become "<name>.weight", "<name>.bias".
struct GemmOptions {
  std::string name;
  std::int64_t outputs = 0;
  Init init = Init::FanInUniform;  ///< the bias is drawn with the same bound; Zeros otherwise
  std::string weight = {};
  std::string bias = {};
};

class Builder;

/// A value on its way through a network: every call appends a node to the builder's graph and gives
/// the node's output. Cheap to copy; lives no longer than its Builder. Shapes are known at every
/// point but for the batch. Calls throw UserError naming the node when sizes do not fit.
class Flow {
 public:
  Flow(Builder& builder, ir::Value& value) : builder_(&builder), value_(&value) {}

  [[nodiscard]] ir::Value& value() const { return *value_; }
  [[nodiscard]] const tensor::Shape& shape() const { return *value_->type().shape; }
  /// Size of dimension 1.
  [[nodiscard]] std::int64_t channels() const;
  /// Size of dimension 2.
  [[nodiscard]] std::int64_t height() const;

  [[nodiscard]] Flow conv(const ConvOptions& options) const;
  [[nodiscard]] Flow batch_norm(const BatchNormOptions& options) const;
  [[nodiscard]] Flow relu() const;
  /// Clip to [0, 6].
  [[nodiscard]] Flow relu6() const;
  [[nodiscard]] Flow sigmoid() const;
  [[nodiscard]] Flow hard_swish() const;
  [[nodiscard]] Flow add(const Flow& other, std::string name = {}) const;
  [[nodiscard]] Flow mul(const Flow& other, std::string name = {}) const;
  /// Along the channels.
  [[nodiscard]] Flow concat(const std::vector<Flow>& others, std::string name = {}) const;
  [[nodiscard]] Flow max_pool(const PoolOptions& options) const;
  [[nodiscard]] Flow average_pool(const PoolOptions& options) const;
  [[nodiscard]] Flow global_average_pool() const;
  /// [batch, everything else].
  [[nodiscard]] Flow flatten() const;
  [[nodiscard]] Flow dropout(float ratio) const;
  [[nodiscard]] Flow gemm(const GemmOptions& options) const;

 private:
  [[nodiscard]] Flow apply(ir::NodeSpec spec, tensor::Shape shape) const;
  [[nodiscard]] Flow unary(std::string op, std::string_view suffix) const;
  [[nodiscard]] Flow binary(std::string op, const Flow& other, std::string name) const;
  [[nodiscard]] Flow pool(std::string op, const PoolOptions& options) const;
  [[nodiscard]] std::string derived_name(std::string_view suffix) const;

  Builder* builder_;
  ir::Value* value_;
};

/// Builds a graph of ONNX operators (opset 17) with a dynamic batch. Every initializer is drawn
/// from a random stream named by the initializer, so its values depend on the seed and its name
/// only.
class Builder {
 public:
  Builder(std::string model_name, std::uint64_t seed);

  /// A float32 input [batch, channels, height, width].
  [[nodiscard]] Flow image(std::string name, std::int64_t channels, std::int64_t height,
                           std::int64_t width);
  /// A float32 initializer; `fan_in` and `fan_out` are what `init` scales with.
  ir::Value& weight(std::string name, const std::vector<std::int64_t>& sizes, Init init,
                    std::int64_t fan_in, std::int64_t fan_out);
  /// A float32 initializer of one repeated value.
  ir::Value& filled(std::string name, const std::vector<std::int64_t>& sizes, float fill);

  /// The graph with one output, renamed to `output_name`; verified. Leaves the builder empty.
  [[nodiscard]] ir::Graph finish(const Flow& output, std::string output_name);

  [[nodiscard]] ir::Graph& graph() { return graph_; }

 private:
  ir::Graph graph_;
  std::uint64_t seed_;
};

}  // namespace espalier::zoo
