// OpenVINO's CPU plugin as an engine module.
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <openvino/openvino.hpp>

#include "espalier/base/error.h"
#include "espalier/deploy/modules/engine_inputs.h"
#include "espalier/deploy/modules/module.h"
#include "espalier/deploy/modules/openvino_layers.h"
#include "espalier/tensor/dtype.h"

namespace espalier::deploy {
namespace {

using tensor::DType;

/// Element types that pass in and out.
struct ElementType {
  ov::element::Type_t theirs;
  DType ours;
};
constexpr std::array<ElementType, 11> kElementTypes = {{
    {ov::element::Type_t::f32, DType::Float32},
    {ov::element::Type_t::f64, DType::Float64},
    {ov::element::Type_t::f16, DType::Float16},
    {ov::element::Type_t::bf16, DType::BFloat16},
    {ov::element::Type_t::i8, DType::Int8},
    {ov::element::Type_t::u8, DType::UInt8},
    {ov::element::Type_t::i16, DType::Int16},
    {ov::element::Type_t::u16, DType::UInt16},
    {ov::element::Type_t::i32, DType::Int32},
    {ov::element::Type_t::i64, DType::Int64},
    {ov::element::Type_t::boolean, DType::Bool},
}};

DType to_dtype(const ov::element::Type& type) {
  const auto* place =
      std::ranges::find(kElementTypes, ov::element::Type_t(type), &ElementType::theirs);
  return place == kElementTypes.end() ? DType::Other : place->ours;
}

ov::element::Type from_dtype(DType dtype) {
  const auto* place = std::ranges::find(kElementTypes, dtype, &ElementType::ours);
  return place == kElementTypes.end() ? ov::element::dynamic : ov::element::Type(place->theirs);
}

/// OpenVINO's messages name the source lines of its own checks first; what follows the last of them
/// says what failed.
std::string plain_message(const std::exception& error) {
  constexpr std::string_view kPlace = "Exception from ";
  std::string text = error.what();
  const auto place = text.rfind(kPlace);
  // ":" and the message, in the same line or in the next.
  const auto end = place == std::string::npos
                       ? place
                       : std::min(text.find(": ", place), text.find(":\n", place));
  if (end != std::string::npos) text.erase(0, end + 2);
  text.erase(text.find_last_not_of(" \n\t") + 1);
  std::ranges::replace(text, '\n', ' ');
  return text;
}

std::string port_name(const ov::Output<const ov::Node>& port) {
  return port.get_names().empty() ? port.get_node()->get_friendly_name() : port.get_any_name();
}

EngineInput to_engine_input(const ov::Output<const ov::Node>& port) {
  EngineInput input{.name = port_name(port), .dtype = to_dtype(port.get_element_type())};
  for (const ov::Dimension& size : port.get_partial_shape()) {
    input.sizes.push_back(size.is_static() ? size.get_length() : -1);
  }
  return input;
}

Tensor to_tensor(const ov::Tensor& value, const std::string& name) {
  const auto scalar = tensor::to_scalar_type(to_dtype(value.get_element_type()));
  if (!scalar) {
    throw base::UnsupportedError({.what = "openvino gave an output of a type with no tensor",
                                  .where = fmt::format("output '{}'", name)});
  }
  const ov::Shape& shape = value.get_shape();
  const Tensor tensor = at::empty(std::vector<std::int64_t>(shape.begin(), shape.end()),
                                  at::TensorOptions().dtype(*scalar));
  std::memcpy(tensor.data_ptr(), value.data(), value.get_byte_size());
  return tensor;
}

/// A model compiled for one set of input shapes.
struct Compiled {
  ov::CompiledModel model;
  ov::InferRequest request;
};
using Shapes = std::vector<std::vector<std::int64_t>>;
using OutputNodes = std::map<std::string, std::string>;

OutputNodes find_output_nodes(const ir::Graph& exported) {
  OutputNodes nodes;
  for (const ir::Value* output : exported.outputs()) {
    if (output->producer() != nullptr) nodes[output->name()] = output->producer()->name();
  }
  return nodes;
}

class OpenVinoModel final : public EngineModel {
 public:
  /// `output_nodes`: see openvino_layers; nothing when the layers will not be asked for.
  OpenVinoModel(ov::Core& core, std::shared_ptr<ov::Model> model, ov::AnyMap settings,
                std::optional<OutputNodes> output_nodes)
      : core_(core),
        model_(std::move(model)),
        settings_(std::move(settings)),
        output_nodes_(std::move(output_nodes)) {
    const std::shared_ptr<const ov::Model> source = model_;
    for (const auto& port : source->inputs()) inputs_.push_back(to_engine_input(port));
    for (const auto& port : source->outputs()) outputs_.push_back(port_name(port));
    if (!model_->is_dynamic()) last_ = &compile({});
  }

  std::vector<Tensor> run(std::span<const Tensor> inputs) override {
    const std::vector<Tensor> ready = fit_inputs("openvino", inputs_, inputs);
    try {
      last_ = &compiled_for(ready);
      ov::InferRequest& request = last_->request;
      for (std::size_t index = 0; index < ready.size(); ++index) {
        const auto sizes = ready[index].sizes();
        request.set_input_tensor(
            index, ov::Tensor(from_dtype(inputs_[index].dtype),
                              ov::Shape(sizes.begin(), sizes.end()), ready[index].data_ptr()));
      }
      request.infer();
      std::vector<Tensor> results;
      for (std::size_t index = 0; index < outputs_.size(); ++index) {
        results.push_back(to_tensor(request.get_output_tensor(index), outputs_[index]));
      }
      return results;
    } catch (const ov::Exception& error) {
      throw base::UserError({.what = "openvino cannot run the model", .got = plain_message(error)});
    }
  }

  [[nodiscard]] std::vector<EngineLayer> layers() const override {
    if (last_ == nullptr || !output_nodes_) return {};
    return openvino_layers(*last_->model.get_runtime_model(), *output_nodes_);
  }

 private:
  /// Static shapes let the plugin choose its fastest kernels, so a model with unknown sizes is
  /// compiled once for every set of shapes it meets; few are kept.
  Compiled& compiled_for(std::span<const Tensor> inputs) {
    if (!model_->is_dynamic()) return compiled_.begin()->second;
    Shapes shapes;
    for (const Tensor& input : inputs) shapes.push_back(input.sizes().vec());
    const auto place = compiled_.find(shapes);
    if (place != compiled_.end()) return place->second;
    constexpr std::size_t kMostKept = 3;
    if (compiled_.size() >= kMostKept) compiled_.clear();
    return compile(shapes);
  }

  /// Compiles for the shapes; no shapes: as the file declares them.
  Compiled& compile(const Shapes& shapes) {
    std::shared_ptr<ov::Model> model = model_;
    if (!shapes.empty()) {
      model = model_->clone();
      std::map<std::size_t, ov::PartialShape> wanted;
      for (std::size_t index = 0; index < shapes.size(); ++index) {
        wanted[index] = ov::Shape(shapes[index].begin(), shapes[index].end());
      }
      model->reshape(wanted);
    }
    ov::CompiledModel compiled = core_.compile_model(model, "CPU", settings_);
    ov::InferRequest request = compiled.create_infer_request();
    return compiled_.emplace(shapes, Compiled{std::move(compiled), std::move(request)})
        .first->second;
  }

  ov::Core& core_;
  std::shared_ptr<ov::Model> model_;
  ov::AnyMap settings_;
  std::optional<OutputNodes> output_nodes_;
  std::map<Shapes, Compiled> compiled_;
  Compiled* last_ = nullptr;
  std::vector<EngineInput> inputs_;
  std::vector<std::string> outputs_;
};

ov::AnyMap settings(const EngineOptions& options) {
  ov::AnyMap map = {
      ov::inference_num_threads(options.threads),
      ov::num_streams(1),
      ov::hint::performance_mode(ov::hint::PerformanceMode::LATENCY),
      ov::hint::enable_cpu_pinning(false),
      ov::enable_profiling(options.inspect),
  };
  if (options.force_float32) map.insert(ov::hint::inference_precision(ov::element::f32));
  return map;
}

class OpenVinoEngine final : public Engine {
 public:
  explicit OpenVinoEngine(ModuleHost host) : host_(std::move(host)) {}

  [[nodiscard]] std::string name() const override { return "openvino"; }
  [[nodiscard]] std::string version() const override {
    return ov::get_openvino_version().buildNumber;
  }
  [[nodiscard]] std::unique_ptr<EngineModel> load(std::string_view model,
                                                  const EngineOptions& options) override {
    try {
      auto read = core_.read_model(std::string(model), ov::Tensor());
      std::optional<OutputNodes> output_nodes;
      if (options.inspect) output_nodes = find_output_nodes(host_.decode(model));
      return std::make_unique<OpenVinoModel>(core_, std::move(read), settings(options),
                                             std::move(output_nodes));
    } catch (const ov::Exception& error) {
      throw base::UserError(
          {.what = "openvino cannot load the model", .got = plain_message(error)});
    }
  }

 private:
  ModuleHost host_;
  ov::Core core_;
};

}  // namespace
}  // namespace espalier::deploy

extern "C" __attribute__((visibility("default"))) const char* espalier_engine_abi() {
  return espalier::deploy::kModuleAbi;
}

extern "C" __attribute__((visibility("default"))) espalier::deploy::Engine* espalier_create_engine(
    const espalier::deploy::ModuleHost& host) {
  return new espalier::deploy::OpenVinoEngine(host);
}
