#include "espalier/exec/program.h"

#include <c10/core/GradMode.h>
#include <fmt/ranges.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/exec/compile.h"
#include "espalier/exec/kernels/trained_quantizer.h"
#include "espalier/exec/run.h"
#include "espalier/ops/estimator.h"

namespace espalier::exec {
namespace {

template <typename Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

Tensor* find_owned(ProgramState& state, std::string_view name) {
  for (TensorMap* map : {&state.parameters, &state.buffers}) {
    if (const auto place = map->find(name); place != map->end()) return &place->second;
  }
  return nullptr;
}

/// A scale that follows its weight is that of the weight as it is now, as evaluation has it.
void follow_weight(ir::Graph& graph, const ir::Node& node, const QuantizerSettings& settings) {
  const QuantizerTensors tensors = quantizer_tensors(node);
  QuantizerStep step(settings, tensors, {.training = false});
  (void)train_quantize(node.input(ops::kQuantizedValue)->constant(), step);
  ir::Value& scale = *node.input(ops::kScale);
  graph.set_constant(scale, tensors.scale.reshape(scale.constant().sizes()));
}

void copy_into(Tensor& target, const std::string& name, const Tensor& source) {
  if (target.sizes() != source.sizes()) {
    throw base::UserError({.what = "cannot load a tensor into the model",
                           .where = "'" + name + "'",
                           .got = fmt::format("[{}]", fmt::join(source.sizes(), ", ")),
                           .expected = fmt::format("[{}]", fmt::join(target.sizes(), ", "))});
  }
  target.copy_(source);
}

}  // namespace

Program::Program(std::unique_ptr<State> state) : state_(std::move(state)) {}
Program::Program(Program&&) noexcept = default;
Program& Program::operator=(Program&&) noexcept = default;
Program::~Program() = default;

Program Program::compile(const ir::Graph& graph, const CompileOptions& options) {
  return Program(std::make_unique<State>(State{compile_graph(graph, options)}));
}

std::vector<Tensor> Program::run(std::span<const Tensor> inputs, const Tap& tap) const {
  return run_whole(*state_, inputs, tap);
}

TensorMap Program::run(const TensorMap& from, std::span<const std::string> to,
                       const Tap& tap) const {
  return run_range(*state_, from, to, tap);
}

const std::vector<std::string>& Program::input_names() const {
  return state_->input_names;
}
const std::vector<std::string>& Program::output_names() const {
  return state_->output_names;
}
const TensorMap& Program::parameters() const {
  return state_->parameters;
}
const TensorMap& Program::buffers() const {
  return state_->buffers;
}

void Program::set_training(bool training) {
  base::invariant(state_->options.mode == Mode::Training,
                  "set_training is for programs compiled with Mode::Training");
  state_->training = training;
}

void Program::freeze_batch_norm(bool frozen) {
  base::invariant(state_->options.mode == Mode::Training,
                  "freeze_batch_norm is for programs compiled with Mode::Training");
  state_->frozen_batch_norm = frozen;
}

bool Program::has_frozen_batch_norm() const {
  return state_->frozen_batch_norm;
}

void Program::freeze_quantizers(bool frozen) {
  base::invariant(state_->options.mode == Mode::Training,
                  "freeze_quantizers is for programs compiled with Mode::Training");
  state_->frozen_quantizers = frozen;
}

void Program::write_back(ir::Graph& graph) const {
  const c10::AutoGradMode no_gradients(false);
  for (const TensorMap* map : {&state_->parameters, &state_->buffers}) {
    for (const auto& [name, tensor] : *map) {
      ir::Value* value = graph.find_value(name);
      if (value == nullptr || !value->is_initializer() ||
          value->constant().sizes() != tensor.sizes()) {
        throw base::UserError(
            {.what = "cannot write parameters back into the model",
             .where = "'" + name + "'",
             .expected = fmt::format("an initializer [{}]", fmt::join(tensor.sizes(), ", "))});
      }
      const Tensor& old = value->constant();
      Tensor copy = tensor.detach().to(at::kCPU, old.scalar_type()).contiguous();
      graph.set_constant(*value, copy.is_alias_of(tensor) ? copy.clone() : copy);
    }
  }
  for (ir::Node* node : graph.nodes()) {
    if (ops::estimator_of(*node) == nullptr) continue;
    const QuantizerSettings settings = quantizer_settings(*node);
    if (state_->frozen_quantizers) {
      node->set("frozen", std::int64_t{1});
      continue;
    }
    node->remove("frozen");
    const bool follows = settings.weight && settings.estimator->follows_weight;
    if (follows && node->input(ops::kQuantizedValue)->is_initializer()) {
      follow_weight(graph, *node, settings);
    }
  }
}

void Program::load(const TensorMap& tensors) {
  const c10::AutoGradMode no_gradients(false);
  for (const auto& [name, tensor] : tensors) {
    Tensor* target = find_owned(*state_, name);
    if (target == nullptr) {
      std::vector<std::string> known = names_of(state_->parameters);
      for (std::string& buffer : names_of(state_->buffers)) known.push_back(std::move(buffer));
      throw base::UserError(
          {.what = "cannot load a tensor into the model: no parameter has its name",
           .got = "'" + name + "'",
           .hint = base::nearest_name(name, known)});
    }
    copy_into(*target, name, tensor);
  }
}

std::string Program::describe() const {
  return describe_state(*state_);
}

}  // namespace espalier::exec
