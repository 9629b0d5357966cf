// ONNX Runtime's CPU provider as an engine module.
#include <map>
#include <memory>
#include <string>
#include <utility>

#include <ATen/ops/from_blob.h>
#include <fmt/format.h>
#include <onnxruntime_cxx_api.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/deploy/modules/engine_inputs.h"
#include "espalier/deploy/modules/module.h"
#include "espalier/deploy/modules/onnxruntime_layers.h"
#include "espalier/deploy/modules/scratch_folder.h"
#include "espalier/tensor/dtype.h"

namespace espalier::deploy {
namespace {

using tensor::DType;

/// Element types that pass in and out.
const std::map<ONNXTensorElementDataType, DType>& element_types() {
  static const std::map<ONNXTensorElementDataType, DType> table = {
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, DType::Float32},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE, DType::Float64},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16, DType::Float16},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_BFLOAT16, DType::BFloat16},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8, DType::Int8},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, DType::UInt8},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16, DType::Int16},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16, DType::UInt16},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32, DType::Int32},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64, DType::Int64},
      {ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL, DType::Bool},
  };
  return table;
}

DType to_dtype(ONNXTensorElementDataType type) {
  const auto place = element_types().find(type);
  return place == element_types().end() ? DType::Other : place->second;
}

ONNXTensorElementDataType from_dtype(DType dtype) {
  for (const auto& [type, ours] : element_types()) {
    if (ours == dtype) return type;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

/// An output tensor that keeps the engine's buffer alive.
Tensor to_tensor(Ort::Value value, const std::string& name) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  const auto scalar = tensor::to_scalar_type(to_dtype(info.GetElementType()));
  if (!scalar) {
    throw base::UnsupportedError({.what = "onnxruntime gave an output of a type with no tensor",
                                  .where = fmt::format("output '{}'", name)});
  }
  const std::vector<std::int64_t> sizes = info.GetShape();
  auto owner = std::make_shared<Ort::Value>(std::move(value));
  void* data = owner->GetTensorMutableRawData();
  return at::from_blob(
      data, sizes, [owner](void*) {}, at::TensorOptions().dtype(*scalar));
}

class OnnxRuntimeModel final : public EngineModel {
 public:
  OnnxRuntimeModel(Ort::Session session, std::unique_ptr<ScratchFolder> scratch,
                   std::optional<ir::Graph> exported, const ModuleHost& host)
      : session_(std::move(session)),
        scratch_(std::move(scratch)),
        exported_(std::move(exported)),
        host_(host) {
    const Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t index = 0; index < session_.GetInputCount(); ++index) {
      const auto type = session_.GetInputTypeInfo(index);
      EngineInput input{.name = session_.GetInputNameAllocated(index, allocator).get()};
      if (type.GetONNXType() == ONNX_TYPE_TENSOR) {
        const auto info = type.GetTensorTypeAndShapeInfo();
        input.dtype = to_dtype(info.GetElementType());
        input.sizes = info.GetShape();
      }
      inputs_.push_back(std::move(input));
    }
    for (std::size_t index = 0; index < session_.GetOutputCount(); ++index) {
      outputs_.emplace_back(session_.GetOutputNameAllocated(index, allocator).get());
    }
  }

  std::vector<Tensor> run(std::span<const Tensor> inputs) override {
    const std::vector<Tensor> ready = fit_inputs("onnxruntime", inputs_, inputs);
    std::vector<Ort::Value> values;
    std::vector<const char*> input_names;
    for (std::size_t index = 0; index < ready.size(); ++index) {
      const Tensor& input = ready[index];
      values.push_back(Ort::Value::CreateTensor(memory_, input.data_ptr(), input.nbytes(),
                                                input.sizes().data(), input.sizes().size(),
                                                from_dtype(inputs_[index].dtype)));
      input_names.push_back(inputs_[index].name.c_str());
    }
    std::vector<const char*> output_names;
    for (const std::string& name : outputs_) output_names.push_back(name.c_str());
    try {
      auto results = session_.Run(Ort::RunOptions{nullptr}, input_names.data(), values.data(),
                                  values.size(), output_names.data(), output_names.size());
      std::vector<Tensor> tensors;
      for (std::size_t index = 0; index < results.size(); ++index) {
        tensors.push_back(to_tensor(std::move(results[index]), outputs_[index]));
      }
      return tensors;
    } catch (const Ort::Exception& error) {
      throw base::UserError(
          {.what = "onnxruntime cannot run the model", .got = std::string(error.what())});
    }
  }

  [[nodiscard]] std::vector<EngineLayer> layers() const override {
    if (!exported_) return {};
    if (!profile_) {
      const Ort::AllocatorWithDefaultOptions allocator;
      const auto file = session_.EndProfilingAllocated(allocator);
      profile_ = base::read_file(file.get());
    }
    const ir::Graph optimized = host_.decode(base::read_file(scratch_->path() / "optimized.onnx"));
    return onnxruntime_layers(*exported_, optimized, *profile_);
  }

 private:
  mutable Ort::Session session_;
  std::unique_ptr<ScratchFolder> scratch_;
  std::optional<ir::Graph> exported_;
  const ModuleHost& host_;
  mutable std::optional<std::string> profile_;
  Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  std::vector<EngineInput> inputs_;
  std::vector<std::string> outputs_;
};

Ort::SessionOptions session_options(const EngineOptions& options, const ScratchFolder* scratch) {
  Ort::SessionOptions session;
  session.SetIntraOpNumThreads(options.threads);
  session.SetInterOpNumThreads(1);
  session.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
  // Idle workers must not burn the cores of whatever is measured beside this session.
  session.AddConfigEntry("session.force_spinning_stop", "1");
  session.AddConfigEntry("session.inter_op.allow_spinning", "0");
  if (scratch != nullptr) {
    session.SetOptimizedModelFilePath((scratch->path() / "optimized.onnx").c_str());
    session.EnableProfiling((scratch->path() / "profile").c_str());
  }
  return session;
}

class OnnxRuntimeEngine final : public Engine {
 public:
  explicit OnnxRuntimeEngine(ModuleHost host) : host_(std::move(host)) {}

  [[nodiscard]] std::string name() const override { return "onnxruntime"; }
  [[nodiscard]] std::string version() const override { return OrtGetApiBase()->GetVersionString(); }
  [[nodiscard]] std::unique_ptr<EngineModel> load(std::string_view model,
                                                  const EngineOptions& options) override {
    auto scratch = options.inspect ? std::make_unique<ScratchFolder>() : nullptr;
    try {
      Ort::Session session(environment_, model.data(), model.size(),
                           session_options(options, scratch.get()));
      std::optional<ir::Graph> exported;
      if (options.inspect) exported = host_.decode(model);
      return std::make_unique<OnnxRuntimeModel>(std::move(session), std::move(scratch),
                                                std::move(exported), host_);
    } catch (const Ort::Exception& error) {
      throw base::UserError(
          {.what = "onnxruntime cannot load the model", .got = std::string(error.what())});
    }
  }

 private:
  ModuleHost host_;
  // Errors arrive as exceptions; logging them too would print them twice.
  Ort::Env environment_{ORT_LOGGING_LEVEL_FATAL, "espalier"};
};

}  // namespace
}  // namespace espalier::deploy

extern "C" __attribute__((visibility("default"))) const char* espalier_engine_abi() {
  return espalier::deploy::kModuleAbi;
}

extern "C" __attribute__((visibility("default"))) espalier::deploy::Engine* espalier_create_engine(
    const espalier::deploy::ModuleHost& host) {
  return new espalier::deploy::OnnxRuntimeEngine(host);
}
