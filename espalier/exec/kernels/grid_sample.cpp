#include <stdexcept>

#include <ATen/ops/grid_sampler.h>
#include <fmt/format.h>

#include "espalier/exec/kernels/factories.h"

namespace espalier::exec {
namespace {

// Numbers of at::grid_sampler.
std::int64_t parse_mode(const ir::Node& node) {
  const std::string mode = node.get_string("mode", "linear");
  if (mode == "linear" || mode == "bilinear") return 0;
  if (mode == "nearest") return 1;
  if (mode == "cubic" || mode == "bicubic") return 2;
  throw std::invalid_argument(fmt::format("mode is '{}', expected linear, nearest or cubic", mode));
}

std::int64_t parse_padding(const ir::Node& node) {
  const std::string mode = node.get_string("padding_mode", "zeros");
  if (mode == "zeros") return 0;
  if (mode == "border") return 1;
  if (mode == "reflection") return 2;
  throw std::invalid_argument(
      fmt::format("padding_mode is '{}', expected zeros, border or reflection", mode));
}

}  // namespace

Kernel make_grid_sample(const KernelRequest& request) {
  const bool align = request.node.get_int("align_corners", 0) != 0;
  return
      [align, mode = parse_mode(request.node), padding = parse_padding(request.node)](Call& call) {
        call.outputs[0] = at::grid_sampler(call.inputs[0], call.inputs[1], mode, padding, align);
      };
}

}  // namespace espalier::exec
