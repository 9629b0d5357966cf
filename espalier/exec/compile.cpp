#include "espalier/exec/compile.h"

#include <algorithm>
#include <array>
#include <set>

#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include "espalier/base/check.h"
#include "espalier/base/error.h"
#include "espalier/base/name_match.h"
#include "espalier/exec/constants.h"
#include "espalier/exec/device.h"
#include "espalier/exec/kernels/conv_region.h"
#include "espalier/exec/kernels/factories.h"
#include "espalier/exec/kernels/table.h"
#include "espalier/exec/kernels/trained_quantizer.h"
#include "espalier/exec/kernels/training_region.h"
#include "espalier/exec/parameters.h"
#include "espalier/exec/placement.h"
#include "espalier/exec/regions.h"
#include "espalier/exec/training_regions.h"
#include "espalier/ops/estimator.h"

namespace espalier::exec {
namespace {

void refuse_unknown_operators(const ir::Graph& graph) {
  constexpr std::size_t kMostNamed = 10;
  std::vector<std::string> labels;
  for (const ir::Node* node : graph.nodes()) {
    if (find_operator(*node) == nullptr) {
      const std::string& domain = node->domain();
      labels.push_back(node->label() + (domain.empty() ? "" : " of domain '" + domain + "'"));
    }
  }
  if (labels.empty()) return;
  std::string text = labels.front();
  for (std::size_t index = 1; index < std::min(labels.size(), kMostNamed); ++index) {
    text += ", " + labels[index];
  }
  if (labels.size() > kMostNamed) text += fmt::format(" and {} more", labels.size() - kMostNamed);
  throw base::UnsupportedError({.what = "cannot run the model: operators without a kernel",
                                .where = text,
                                .hint = "docs/operators.md lists the operators that run"});
}

void check_options(const ir::Graph& graph, const CompileOptions& options) {
  using tensor::DType;
  base::check(options.dtype == DType::Float32 || options.dtype == DType::Float64 ||
                  options.dtype == DType::BFloat16,
              "cannot compile the model: dtype: got {}, expected float32, float64 or bfloat16",
              tensor::to_string(options.dtype));
  for (const std::string& name : options.taps) {
    if (graph.find_value(name) != nullptr) continue;
    std::vector<std::string> known;
    for (const ir::Node* node : graph.nodes()) {
      for (const ir::Value* output : node->outputs()) {
        if (output != nullptr) known.push_back(output->name());
      }
    }
    throw base::UserError({.what = "cannot tap a value that the model does not have",
                           .got = "'" + name + "'",
                           .hint = known.size() > 50 ? base::nearest_name(name, known)
                                                     : base::suggest_name(name, known)});
  }
}

class Compiler {
 public:
  Compiler(const ir::Graph& graph, const CompileOptions& options)
      : graph_(graph),
        owned_(options.mode == Mode::Training ? find_parameters(graph) : ParameterSet{}),
        placement_(graph, owned_) {
    state_.options = options;
    state_.training = options.mode == Mode::Training;
    state_.frozen_quantizers = std::ranges::any_of(graph.nodes(), [](const ir::Node* node) {
      return ops::estimator_of(*node) != nullptr && node->get_int("frozen", 0) != 0;
    });
    for (const std::string& name : options.taps) seen_.insert(graph.find_value(name));
    for (const ir::Value* output : graph.outputs()) seen_.insert(output);
  }

  ProgramState compile() {
    find_live_nodes();
    own_parameters();
    constants_ = fold_constants(graph_, live_, owned_, state_.options);
    find_regions();
    for (const ir::Value* input : graph_.inputs()) add_input(*input);
    for (const ir::Node* node : graph_.nodes()) emit(*node);
    publish_values();
    plan_whole_run();
    return std::move(state_);
  }

 private:
  void find_live_nodes() {
    std::set<const ir::Value*> wanted = seen_;
    const std::vector<const ir::Node*> nodes = graph_.nodes();
    for (auto place = nodes.rbegin(); place != nodes.rend(); ++place) {
      const auto& outputs = (*place)->outputs();
      const bool use = std::any_of(outputs.begin(), outputs.end(), [&](const ir::Value* output) {
        return output != nullptr && wanted.contains(output);
      });
      if (!use) continue;
      live_.insert(*place);
      wanted.insert((*place)->inputs().begin(), (*place)->inputs().end());
    }
  }

  void own_parameters() {
    for (const ir::Value* value : owned_.parameters) {
      Tensor tensor = own(*value);
      tensor.set_requires_grad(true);
      state_.parameters[value->name()] = tensor;
    }
    for (const ir::Value* value : owned_.buffers) state_.buffers[value->name()] = own(*value);
  }

  /// A copy of an initializer that the program may change.
  Tensor own(const ir::Value& value) {
    const Tensor& constant = value.constant();
    const bool images = state_.options.channels_last && constant.dim() == 4;
    const CompileOptions options =
        is_quantizer_state(value) ? host_options(state_.options) : state_.options;
    const auto dtype = *tensor::to_scalar_type(options.dtype);
    Tensor copy =
        at::empty_like(constant, constant.options().dtype(dtype).device(options.device),
                       images ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
    copy.copy_(constant);
    held_data_[&value] = hold(copy);
    return copy;
  }

  /// Parameters of quantizers stay on the CPU in at least float32.
  static bool is_quantizer_state(const ir::Value& value) {
    return std::any_of(value.uses().begin(), value.uses().end(), [](const ir::Use& use) {
      return use.index != ops::kQuantizedValue && ops::estimator_of(*use.node) != nullptr;
    });
  }

  std::size_t hold(Tensor tensor) {
    state_.held.push_back(std::move(tensor));
    return state_.held.size() - 1;
  }

  void find_regions() {
    const CompileOptions& options = state_.options;
    if (!options.fuse) return;
    if (options.mode == Mode::Training) {
      find_regions_of_training();
      return;
    }
    const RegionQuestions questions{
        .is_constant = [this](const ir::Value& value) { return constants_.contains(&value); },
        .is_seen = [this](const ir::Value& value) { return seen_.contains(&value); },
        .is_fusable_activation = [this](const ir::Node& node) { return is_fusable(node); }};
    for (const ConvRegion& region : find_conv_regions(graph_, questions)) {
      if (!live_.contains(region.conv) || constants_.contains(region.last().output())) continue;
      for (const ir::Node* node : region.nodes()) in_region_.insert(node);
      regions_[&region.last()] = region;
    }
  }

  void find_regions_of_training() {
    const CompileOptions& options = state_.options;
    const bool handled =
        options.device.is_cpu() && options.channels_last && options.dtype == tensor::DType::Float32;
    if (!handled) return;
    const TrainingRegionQuestions questions{
        .is_owned = [this](const ir::Value& value) { return owned_.contains(value); },
        .is_constant = [this](const ir::Value& value) { return constants_.contains(&value); },
        .is_seen = [this](const ir::Value& value) { return seen_.contains(&value); }};
    for (const TrainingRegion& region : find_training_regions(graph_, questions)) {
      if (!live_.contains(region.conv) || constants_.contains(region.last().output())) continue;
      for (const ir::Node* node : region.nodes()) in_region_.insert(node);
      training_regions_[&region.last()] = region;
      const ir::Node* quantizer = producer_of(region.conv->input(0));
      if (quantizer != nullptr && gives_codes(*quantizer)) {
        coded_.insert(region.conv->input(0));
      }
      const ir::Node* weight_quantizer = producer_of(region.conv->input(1));
      if (weight_quantizer != nullptr && gives_weight_forms(*weight_quantizer)) {
        coded_.insert(region.conv->input(1));
      }
    }
    for (const RectifiedQuantizer& pair :
         find_rectified_quantizers(graph_, questions, in_region_)) {
      if (!live_.contains(pair.quantizer) || is_folded(*pair.quantizer)) continue;
      in_region_.insert(pair.relu);
      rectified_[pair.quantizer] = pair.relu;
    }
  }

  static const ir::Node* producer_of(const ir::Value* value) {
    return value == nullptr ? nullptr : value->producer();
  }

  /// A quantizer of an activation whose codes a convolution can keep in place of its input.
  [[nodiscard]] bool gives_codes(const ir::Node& node) const {
    if (node.op() != "FakeQuantize" || node.domain() != ir::kEspalierDomain) return false;
    const ir::Value* scale = node.input(ops::kScale);
    return scale != nullptr && scale->is_initializer() && !constants_.contains(node.output()) &&
           has_byte_codes(quantizer_settings(node), scale->constant().numel());
  }

  /// A quantizer of a weight that a convolution can quantize again in backward.
  [[nodiscard]] bool gives_weight_forms(const ir::Node& node) const {
    return node.op() == "FakeQuantize" && node.domain() == ir::kEspalierDomain &&
           !constants_.contains(node.output()) && has_weight_forms(quantizer_settings(node));
  }

  /// Gives the step two more slots when a convolution wants them: the codes of an activation, or
  /// what a weight is quantized from, and the form of quantizing.
  void add_code_slots(Step& step, const ir::Value& value) {
    if (!coded_.contains(&value)) return;
    const ir::Node* producer = value.producer();
    const bool is_weight = producer != nullptr && gives_weight_forms(*producer);
    const std::array names{value.name() + (is_weight ? " (source)" : " (codes)"),
                           value.name() + " (form)"};
    const int first = static_cast<int>(state_.slot_names.size());
    for (const std::string& name : names) {
      step.outputs.push_back(static_cast<int>(state_.slot_names.size()));
      state_.slot_names.push_back(name);
      state_.tapped.push_back(false);
    }
    code_slots_[&value] = first;
  }

  [[nodiscard]] bool is_fusable(const ir::Node& node) const {
    return activation_of(request_for(node, state_.options)).has_value();
  }

  void add_input(const ir::Value& value) {
    state_.inputs.push_back({value.name(), value.type(), add_slot(value)});
    state_.input_names.push_back(value.name());
  }

  int add_slot(const ir::Value& value) {
    const int slot = static_cast<int>(state_.slot_names.size());
    state_.slot_names.push_back(value.name());
    state_.tapped.push_back(false);
    slots_[&value] = slot;
    return slot;
  }

  void emit(const ir::Node& node) {
    if (!live_.contains(&node)) return;
    if (const auto region = regions_.find(&node); region != regions_.end()) {
      emit_region(region->second);
    } else if (const auto trained = training_regions_.find(&node);
               trained != training_regions_.end()) {
      emit_training_region(trained->second);
    } else if (!in_region_.contains(&node) && !is_folded(node)) {
      emit_node(node);
    }
  }

  [[nodiscard]] bool is_folded(const ir::Node& node) const {
    return std::all_of(node.outputs().begin(), node.outputs().end(), [&](const ir::Value* output) {
      return output == nullptr || constants_.contains(output);
    });
  }

  /// What kernel factories see of a node: constants in the form in which its inputs come.
  [[nodiscard]] KernelRequest request_for(const ir::Node& node,
                                          const CompileOptions& options) const {
    KernelRequest request{
        .node = node, .options = options, .constants = {}, .num_outputs = node.outputs().size()};
    const Ports host_ports = find_operator(node)->host;
    const bool host = placement_.is_host(node);
    for (std::size_t port = 0; port < node.inputs().size(); ++port) {
      const auto known = constants_.find(node.input(port));
      const bool as_is = host || host_ports.contains(port);
      if (known == constants_.end()) {
        request.constants.emplace_back();
      } else {
        request.constants.push_back(as_is ? known->second : convert(known->second, options));
      }
    }
    return request;
  }

  void emit_node(const ir::Node& node) {
    const OperatorRow& row = *find_operator(node);
    const bool host = placement_.is_host(node);
    const CompileOptions options = host ? host_options(state_.options) : state_.options;
    const auto rectified = rectified_.find(&node);
    const ir::Node* relu = rectified == rectified_.end() ? nullptr : rectified->second;
    const MakeKernel make = relu == nullptr ? row.make : &make_rectified_quantizer;
    Step step;
    step.label = node.label();
    if (relu != nullptr) step.nodes.push_back(relu->name());
    step.nodes.push_back(node.name());
    step.kernel = make_named(node, [&] { return make(request_for(node, options)); });
    for (std::size_t port = 0; port < node.inputs().size(); ++port) {
      const bool as_is = host || row.host.contains(port);
      const Form form = as_is ? Form::Host : Form::Data;
      const bool passes_relu = relu != nullptr && port == ops::kQuantizedValue;
      const ir::Value* value = passes_relu ? relu->input(0) : node.input(port);
      add_step_input(step, value, form, host && reads_shape_only(node));
    }
    for (const ir::Value* output : node.outputs()) {
      step.outputs.push_back(output == nullptr ? kNoSlot : add_slot(*output));
    }
    if (node.output() != nullptr) add_code_slots(step, *node.output());
    state_.steps.push_back(std::move(step));
  }

  void emit_region(const ConvRegion& region) {
    Step step;
    step.label = region.conv->label();
    for (const ir::Node* node : region.nodes()) step.nodes.push_back(node->name());
    std::optional<KernelRequest> batch_norm;
    std::optional<Activation> activation;
    const CompileOptions& options = state_.options;
    if (region.batch_norm != nullptr) batch_norm.emplace(request_for(*region.batch_norm, options));
    if (region.activation != nullptr) {
      activation = activation_of(request_for(*region.activation, options));
    }
    const ConvRegionRequest request{.conv = request_for(*region.conv, options),
                                    .batch_norm = batch_norm,
                                    .add = region.add != nullptr,
                                    .activation = activation};
    step.kernel = make_named(*region.conv, [&] { return make_conv_region(request); });
    add_step_input(step, region.conv->input(0), Form::Data, false);
    if (region.add != nullptr) add_step_input(step, region.residual, Form::Data, false);
    step.outputs.push_back(add_slot(*region.last().output()));
    state_.steps.push_back(std::move(step));
  }

  void emit_training_region(const TrainingRegion& region) {
    Step step;
    step.label = region.conv->label();
    for (const ir::Node* node : region.nodes()) step.nodes.push_back(node->name());
    const CompileOptions& options = state_.options;
    TrainingRegionRequest request{.conv = request_for(*region.conv, options)};
    if (region.batch_norm) request.batch_norm.emplace(request_for(*region.batch_norm, options));
    if (region.activation) request.activation.emplace(request_for(*region.activation, options));
    if (region.quantizer) request.quantizer.emplace(request_for(*region.quantizer, options));
    step.kernel = make_named(*region.conv, [&] { return make_training_region(request); });
    const auto input_of = [](const ir::Node* node, std::size_t port) {
      return node == nullptr ? nullptr : node->input(port);
    };
    for (const std::size_t port : {0U, 1U, 2U}) {
      add_step_input(step, input_of(region.conv, port), Form::Data, false);
    }
    for (const std::size_t port : {1U, 2U, 3U, 4U}) {
      add_step_input(step, input_of(region.batch_norm, port), Form::Data, false);
    }
    for (const std::size_t port : {1U, 2U, 3U}) {
      add_step_input(step, input_of(region.quantizer, port), Form::Host, false);
    }
    for (const std::size_t port : {0U, 1U}) {
      const auto codes = code_slots_.find(region.conv->input(port));
      for (const int offset : {0, 1}) {
        step.inputs.push_back(
            codes == code_slots_.end()
                ? Source{}
                : Source{Source::Kind::Slot, static_cast<std::size_t>(codes->second + offset)});
      }
    }
    const ir::Value& output = *region.last().output();
    step.outputs.push_back(add_slot(output));
    add_code_slots(step, output);
    state_.steps.push_back(std::move(step));
  }

  enum class Form { Data, Host };

  void add_step_input(Step& step, const ir::Value* value, Form form, bool untouched) {
    const std::size_t port = step.inputs.size();
    const Source source = value == nullptr ? Source{} : source_of(*value, form);
    step.inputs.push_back(source);
    if (source.kind != Source::Kind::Slot || untouched) return;
    const bool on_host = placement_.is_host(*value);
    const bool on_device = !state_.options.device.is_cpu();
    if (form == Form::Data && (on_host || on_device)) step.to_data.push_back(port);
    if (form == Form::Host && !on_host && on_device) step.to_host.push_back(port);
  }

  Source source_of(const ir::Value& value, Form form) {
    const auto slot = slots_.find(&value);
    if (slot != slots_.end()) {
      return {Source::Kind::Slot, static_cast<std::size_t>(slot->second)};
    }
    if (owned_.contains(value)) return {Source::Kind::Held, held_data_.at(&value)};
    auto& places = form == Form::Data ? held_data_ : held_host_;
    const auto place = places.find(&value);
    if (place != places.end()) return {Source::Kind::Held, place->second};
    const Tensor& constant = constants_.at(&value);
    const std::size_t index =
        hold(form == Form::Data ? convert(constant, state_.options) : constant);
    places[&value] = index;
    return {Source::Kind::Held, index};
  }

  void publish_values() {
    for (const ir::Value* input : graph_.inputs()) publish(*input);
    for (const ir::Value* output : graph_.outputs()) {
      publish(*output);
      state_.outputs.push_back(source_of(*output, Form::Data));
      state_.output_names.push_back(output->name());
    }
    for (const std::string& name : state_.options.taps) {
      const ir::Value& value = *graph_.find_value(name);
      publish(value);
      const Source source = source_of(value, Form::Data);
      if (source.kind == Source::Kind::Slot) {
        state_.tapped[source.index] = true;
      } else {
        state_.held_taps.emplace_back(name, source.index);
      }
    }
  }

  void publish(const ir::Value& value) {
    state_.reachable[value.name()] = source_of(value, Form::Data);
  }

  void plan_whole_run() {
    ScheduleRequest request;
    for (const InputPort& input : state_.inputs) request.given.push_back(input.slot);
    for (const Source& output : state_.outputs) {
      if (output.kind == Source::Kind::Slot) request.kept.push_back(static_cast<int>(output.index));
    }
    request.wanted = request.kept;
    for (std::size_t slot = 0; slot < state_.tapped.size(); ++slot) {
      if (state_.tapped[slot]) request.wanted.push_back(static_cast<int>(slot));
    }
    state_.whole = make_schedule(state_.steps, state_.slot_names.size(), request);
  }

  const ir::Graph& graph_;
  ParameterSet owned_;
  Placement placement_;
  ProgramState state_;
  std::set<const ir::Value*> seen_;  ///< outputs and taps: fusion leaves them materialized
  std::set<const ir::Node*> live_;
  ConstantMap constants_;
  std::map<const ir::Node*, ConvRegion> regions_;               ///< by last node
  std::map<const ir::Node*, TrainingRegion> training_regions_;  ///< by last node
  std::set<const ir::Node*> in_region_;
  std::map<const ir::Node*, const ir::Node*> rectified_;  ///< quantizers, and the Relu in front
  std::set<const ir::Value*> coded_;                      ///< values whose codes are wanted
  std::map<const ir::Value*, int> code_slots_;            ///< the form is in the slot behind
  std::map<const ir::Value*, int> slots_;
  std::map<const ir::Value*, std::size_t> held_data_;
  std::map<const ir::Value*, std::size_t> held_host_;
};

}  // namespace

ProgramState compile_graph(const ir::Graph& graph, const CompileOptions& options) {
  check_options(graph, options);
  refuse_unknown_operators(graph);
  require_device(options.device);
  return Compiler(graph, options).compile();
}

}  // namespace espalier::exec
