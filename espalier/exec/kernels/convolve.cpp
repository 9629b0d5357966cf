#include "espalier/exec/kernels/convolve.h"

#include <stdexcept>

#include <ATen/ops/convolution.h>
#include <fmt/format.h>

#include "espalier/base/error.h"

namespace espalier::exec {

ConvSettings parse_conv(const ir::Node& node) {
  ConvSettings settings{.window = parse_window(node), .group = node.get_int("group", 1)};
  if (settings.group < 1) {
    throw base::UserError({.what = "bad attribute 'group'",
                           .where = node.label(),
                           .got = fmt::format("{}", settings.group),
                           .expected = "at least 1"});
  }
  return settings;
}

PaddedInput settle_padding(const Tensor& input, const Window& window) {
  const WindowPlan plan = plan_window(window, input.sizes().slice(2));
  if (plan.begin == plan.end) return {input, plan.begin, plan.output};
  return {pad_spatial(input, plan.begin, plan.end, 0), ir::Ints(plan.begin.size(), 0), plan.output};
}

void check_weight(const Tensor& weight, const ConvSettings& settings) {
  const std::int64_t rank = weight.dim() - 2;
  if (rank < 1 || rank > 3) {
    throw std::invalid_argument(fmt::format("a weight of {} dimensions", weight.dim()));
  }
  if (weight.size(0) % settings.group != 0 || weight.numel() == 0) {
    throw std::invalid_argument(fmt::format("{} output channels do not divide into {} groups",
                                            weight.size(0), settings.group));
  }
  const Window window = settings.window.filled(weight.sizes().slice(2));
  if (weight.sizes().slice(2) != at::IntArrayRef(window.kernel)) {
    throw std::invalid_argument("kernel_shape differs from the weight's shape");
  }
}

Tensor lay_out_weight(const Tensor& weight, const CompileOptions& options) {
  const bool images = options.channels_last && weight.dim() == 4;
  return weight.contiguous(images ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
}

Tensor convolve(const Tensor& input, const Tensor& weight, const Tensor& bias,
                const ConvSettings& settings) {
  check_weight(weight, settings);
  if (input.dim() != weight.dim()) {
    throw std::invalid_argument(
        fmt::format("a weight of {} dimensions over {} dimensions", weight.dim(), input.dim()));
  }
  const Window window = settings.window.filled(weight.sizes().slice(2));
  const PaddedInput padded = settle_padding(input, window);
  const bool transposed = false;
  return at::convolution(padded.tensor, weight, bias, window.strides, padded.padding,
                         window.dilations, transposed, ir::Ints(window.kernel.size(), 0),
                         settings.group);
}

}  // namespace espalier::exec
