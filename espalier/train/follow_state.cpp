#include "espalier/train/follow_state.h"

#include <ATen/ops/equal.h>

namespace espalier::train {
namespace {

const Tensor* initializer(const ir::Graph& graph, const std::string& name) {
  const ir::Value* value = graph.find_value(name);
  return value != nullptr && value->is_initializer() ? &value->constant() : nullptr;
}

}  // namespace

exec::TensorMap follow_state(const exec::TensorMap& slots, const ir::Graph& before,
                             const ir::Graph& after, const Rewrite& rewrite) {
  exec::TensorMap followed;
  for (const auto& [slot, state] : slots) {
    const std::string parameter = slot.substr(slot.find('/') + 1);
    const Tensor* was = initializer(before, parameter);
    const Tensor* is = initializer(after, parameter);
    if (was == nullptr || is == nullptr) continue;
    if (!rewrite.follow) {
      if (was->sizes() == is->sizes() && at::equal(*was, *is)) followed.emplace(slot, state);
    } else {
      const bool has_its_shape = state.sizes() == was->sizes();
      followed.emplace(slot, has_its_shape ? rewrite.follow(parameter, state) : state);
    }
  }
  return followed;
}

}  // namespace espalier::train
