#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <c10/core/Device.h>

#include "espalier/ir/graph.h"
#include "espalier/tensor/dtype.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec {

enum class Mode {
  Inference,  ///< no gradients; BatchNormalization and Dropout as in evaluation
  Training    ///< autograd; BatchNormalization uses batch statistics and updates the running ones
};

struct CompileOptions {
  Mode mode = Mode::Inference;
  /// Type of all floating point computation: Float32, Float64 or BFloat16.
  tensor::DType dtype = tensor::DType::Float32;
  bool channels_last = true;  ///< memory format of 4-D activations and convolution weights
  bool fuse = true;           ///< regions; off: one step per node (a reference for tests)
  at::Device device = at::kCPU;
  /// Values that a tap or a run range wants to see: fusion leaves them materialized.
  std::vector<std::string> taps = {};
};

/// Named tensors: inputs, outputs, parameters, cached values.
using TensorMap = std::map<std::string, Tensor, std::less<>>;

/// Called with each tapped value right after it is computed (or fed). The tensor is only borrowed.
using Tap = std::function<void(std::string_view value, const Tensor& tensor)>;

/// A graph compiled for libtorch: ordered steps with fused regions and buffer lifetimes.
/// The graph may be destroyed after compiling. Inference programs are immutable: run() may be
/// called from several threads at once. Training programs own their parameters.
class Program {
 public:
  /// Throws UnsupportedError naming every node whose operator has no kernel.
  [[nodiscard]] static Program compile(const ir::Graph& graph, const CompileOptions& options);

  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  /// Runs the whole graph. Inputs by position; floating inputs are converted to the program's dtype
  /// and layout. Outputs by position. Tensors are freed after their last use.
  /// Throws UserError when count, type or a known dimension of an input differs.
  [[nodiscard]] std::vector<Tensor> run(std::span<const Tensor> inputs, const Tap& tap = {}) const;

  /// Runs only what is needed to get the values `to`, taking the values `from` as given (they must
  /// be inputs or values of CompileOptions::taps); used for suffixes with cached prefixes.
  [[nodiscard]] TensorMap run(const TensorMap& from, std::span<const std::string> to,
                              const Tap& tap = {}) const;

  [[nodiscard]] const std::vector<std::string>& input_names() const;
  [[nodiscard]] const std::vector<std::string>& output_names() const;

  /// Trainable initializers (mode Training) by name: leaf tensors that require gradients.
  /// Optimizers change them in place.
  [[nodiscard]] const TensorMap& parameters() const;
  /// State that training changes without gradients: BatchNormalization running mean and variance,
  /// what the estimators of quantizers observe or derive.
  [[nodiscard]] const TensorMap& buffers() const;
  /// Switches a Training program between batch statistics (true) and evaluation behaviour.
  void set_training(bool training);
  /// In training from now on: BatchNormalization keeps to its running statistics, which stay as
  /// they are (true), or takes those of the batch.
  void freeze_batch_norm(bool frozen);
  [[nodiscard]] bool has_frozen_batch_norm() const;
  /// In training from now on: quantizers keep their parameters, learned ones without gradient.
  void freeze_quantizers(bool frozen);
  /// Copies parameters and buffers back into the initializers of a graph with the same names.
  void write_back(ir::Graph& graph) const;
  /// Copies tensors of these names into parameters and buffers (same shapes: UserError otherwise).
  void load(const TensorMap& tensors);

  /// One line a step: fused nodes, inputs, outputs, what is freed. For `inspect` and tests.
  [[nodiscard]] std::string describe() const;

 private:
  struct State;
  explicit Program(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace espalier::exec
