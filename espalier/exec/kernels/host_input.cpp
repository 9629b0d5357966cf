#include "espalier/exec/kernels/host_input.h"

#include <stdexcept>

#include <fmt/format.h>

namespace espalier::exec {
namespace {

template <typename Element>
std::vector<Element> read(const Tensor& tensor, at::ScalarType type) {
  const Tensor plain = tensor.to(at::kCPU, type).contiguous();
  const auto* first = plain.const_data_ptr<Element>();
  return {first, first + plain.numel()};
}

}  // namespace

ir::Ints read_ints(const Tensor& tensor) {
  if (tensor.is_floating_point()) throw std::invalid_argument("integers were expected");
  return read<std::int64_t>(tensor, at::kLong);
}

std::vector<double> read_floats(const Tensor& tensor) {
  return read<double>(tensor, at::kDouble);
}

IntsInput::IntsInput(const KernelRequest& request, std::size_t port) : port_(port) {
  if (const Tensor* constant = request.constant(port)) known_ = read_ints(*constant);
}

IntsInput::IntsInput(const KernelRequest& request, std::size_t port, std::string_view attribute)
    : IntsInput(request, port) {
  if (!request.has_input(port) && request.node.has(attribute)) {
    known_ = request.node.get_ints(attribute, {});
  }
}

std::optional<ir::Ints> IntsInput::get(const Call& call) const {
  if (known_) return known_;
  if (!call.has_input(port_)) return std::nullopt;
  return read_ints(call.inputs[port_]);
}

ir::Ints IntsInput::require(const Call& call, std::string_view what) const {
  auto values = get(call);
  if (!values) throw std::invalid_argument(fmt::format("{} is missing", what));
  return *std::move(values);
}

std::int64_t wrap_axis(std::int64_t axis, std::int64_t rank) {
  if (axis < -rank || axis >= rank) {
    throw std::invalid_argument(fmt::format("axis {} lies outside of {} dimensions", axis, rank));
  }
  return axis < 0 ? axis + rank : axis;
}

ir::Ints wrap_axes(ir::Ints axes, std::int64_t rank) {
  for (std::int64_t& axis : axes) axis = wrap_axis(axis, rank);
  return axes;
}

}  // namespace espalier::exec
