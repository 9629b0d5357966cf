#pragma once

#include <optional>
#include <vector>

#include "espalier/exec/kernel.h"
#include "espalier/ir/attribute.h"

namespace espalier::exec {

/// The elements of an integer tensor, in order. Any integer type, any device.
[[nodiscard]] ir::Ints read_ints(const Tensor& tensor);
/// The elements of a floating tensor as double.
[[nodiscard]] std::vector<double> read_floats(const Tensor& tensor);

/// A list of integers that comes from an input: read once when it is a constant, at every call
/// otherwise.
class IntsInput {
 public:
  IntsInput(const KernelRequest& request, std::size_t port);
  /// From input `port` when it is there, otherwise from the attribute when the node has it.
  IntsInput(const KernelRequest& request, std::size_t port, std::string_view attribute);

  /// Nothing when neither input nor attribute is given.
  [[nodiscard]] std::optional<ir::Ints> get(const Call& call) const;
  /// Throws std::invalid_argument naming `what` when it is missing.
  [[nodiscard]] ir::Ints require(const Call& call, std::string_view what) const;

 private:
  std::size_t port_;
  std::optional<ir::Ints> known_;
};

/// `axis` in 0..rank-1, counting negative ones from the end. Throws std::invalid_argument.
[[nodiscard]] std::int64_t wrap_axis(std::int64_t axis, std::int64_t rank);
[[nodiscard]] ir::Ints wrap_axes(ir::Ints axes, std::int64_t rank);

}  // namespace espalier::exec
