#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <vector>

#include "espalier/exec/program.h"
#include "espalier/ir/node.h"
#include "espalier/tensor/tensor.h"

namespace espalier::exec {

/// A set of input positions below 32.
class Ports {
 public:
  constexpr Ports() = default;
  constexpr Ports(std::initializer_list<unsigned> ports) {
    for (const unsigned port : ports) bits_ |= std::uint32_t{1} << port;
  }
  [[nodiscard]] constexpr bool contains(std::size_t port) const {
    return port < 32 && ((bits_ >> port) & 1U) != 0;
  }

 private:
  std::uint32_t bits_ = 0;
};

/// One execution of a kernel. Inputs left out are undefined tensors. An input that nobody needs
/// afterwards has been moved in, so that may_overwrite() can say whether its memory may be reused.
struct Call {
  std::span<Tensor> inputs;
  std::span<Tensor> outputs;       ///< to be filled; those that nobody uses may stay undefined
  bool training = false;           ///< batch statistics, dropout, observing quantizers
  bool frozen_batch_norm = false;  ///< BatchNormalization keeps to its running statistics
  bool frozen_quantizers = false;  ///< quantizers keep their parameters

  [[nodiscard]] bool has_input(std::size_t index) const {
    return index < inputs.size() && inputs[index].defined();
  }
};

/// True when nobody else can see the tensor's memory, so that a result may be written over it.
[[nodiscard]] bool may_overwrite(const Tensor& tensor);

/// Computes the outputs of one node. Immutable once made, callable from several threads. Errors of
/// input are thrown as std::invalid_argument or c10::Error; the caller adds the node's name.
using Kernel = std::function<void(Call&)>;

/// What a kernel is made of at compile time. The node does not outlive the making.
struct KernelRequest {
  const ir::Node& node;
  const CompileOptions& options;
  /// Inputs whose value is known, by position; undefined otherwise.
  std::vector<Tensor> constants;
  std::size_t num_outputs = 1;

  [[nodiscard]] bool has_input(std::size_t index) const { return node.input(index) != nullptr; }
  /// Null when the input is left out or not known at compile time.
  [[nodiscard]] const Tensor* constant(std::size_t index) const {
    return index < constants.size() && constants[index].defined() ? &constants[index] : nullptr;
  }
};

/// Makes the kernel of a node: reads attributes once, binds constants.
/// Throws UserError for bad attributes and UnsupportedError for forms that are not handled.
using MakeKernel = Kernel (*)(const KernelRequest&);

}  // namespace espalier::exec
