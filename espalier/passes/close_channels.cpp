#include "espalier/passes/close_channels.h"

#include <optional>

#include "espalier/passes/operands.h"

namespace espalier::passes {
namespace {

constexpr std::size_t kChannels = 1;

bool is_open(const ir::Value& input) {
  const auto& shape = input.type().shape;
  return shape && shape->size() > kChannels && !(*shape)[kChannels].known();
}

/// Channels that a reader of the input asks for.
std::optional<std::int64_t> channels_of(const ir::Value& input) {
  for (const ir::Use& use : input.uses()) {
    if (!use.node->is("Conv") || use.index != 0) continue;
    const Tensor* weight = constant_of(use.node->input(1));
    if (weight != nullptr && weight->dim() > 2) {
      return weight->size(1) * use.node->get_int("group", 1);
    }
  }
  return std::nullopt;
}

std::size_t close(ir::Graph& graph) {
  std::size_t closed = 0;
  for (ir::Value* input : graph.inputs()) {
    if (!is_open(*input)) continue;
    const auto channels = channels_of(*input);
    if (!channels) continue;
    ir::TypeInfo type = input->type();
    (*type.shape)[kChannels] = {.size = channels, .symbol = {}};
    input->set_type(std::move(type));
    ++closed;
  }
  return closed;
}

}  // namespace

Pass close_channels() {
  return {.name = "close_channels", .apply = close};
}

}  // namespace espalier::passes
