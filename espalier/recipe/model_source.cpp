#include "espalier/recipe/model_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/onnx/codec.h"
#include "espalier/train/checkpoint.h"
#include "espalier/train/model_file.h"
#include "espalier/weights/safetensors.h"

namespace espalier::recipe {
namespace {

/// Named tensors of a weight file of any kind.
exec::TensorMap read_weights(const std::filesystem::path& file) {
  const std::string bytes = base::read_file(file);
  if (train::model_kind(bytes) == train::ModelKind::Unknown) {
    exec::TensorMap tensors;
    for (auto& [name, tensor] : weights::decode_safetensors(bytes, file.string()).tensors) {
      tensors.emplace(name, tensor);
    }
    return tensors;
  }
  exec::TensorMap tensors;
  const ir::Graph graph = train::load_model(file);
  for (const ir::Value* value : graph.initializers()) {
    tensors.emplace(value->name(), value->constant());
  }
  return tensors;
}

}  // namespace

void load_weights(ir::Graph& graph, const std::filesystem::path& file) {
  const exec::TensorMap tensors = read_weights(file);
  for (ir::Value* value : graph.initializers()) {
    const auto found = tensors.find(value->name());
    const bool trained = tensor::is_floating(value->type().dtype);
    if (found == tensors.end() && !trained) continue;
    if (found == tensors.end() || found->second.sizes() != value->constant().sizes()) {
      const std::string got = found == tensors.end()
                                  ? "no such tensor"
                                  : fmt::format("{}", found->second.sizes().vec());
      throw base::UserError({.what = fmt::format("cannot load the weights '{}'", file.string()),
                             .where = fmt::format("initializer '{}'", value->name()),
                             .got = got,
                             .expected = fmt::format("{}", value->constant().sizes().vec())});
    }
    graph.set_constant(*value, found->second.to(value->constant().scalar_type()));
  }
}

ir::Graph load_model(const ModelConfig& config) {
  ir::Graph graph = std::holds_alternative<ModelFile>(config.source)
                        ? train::load_model(std::get<ModelFile>(config.source).path)
                        : zoo::build(std::get<ZooModel>(config.source).name,
                                     std::get<ZooModel>(config.source).options);
  if (!config.weights.empty()) load_weights(graph, config.weights);
  return graph;
}

std::string model_title(const ModelConfig& config) {
  if (const auto* file = std::get_if<ModelFile>(&config.source)) return file->path.stem().string();
  return std::get<ZooModel>(config.source).name;
}

std::string onnx_bytes(const std::filesystem::path& model) {
  const std::string bytes = base::read_file(model);
  if (train::model_kind(bytes) == train::ModelKind::Onnx) return onnx::load_bytes(model);
  return onnx::encode(train::load_model(model), {});
}

std::string describe_inputs(const ir::Graph& graph) {
  std::vector<std::string> parts;
  for (const ir::Value* input : graph.inputs()) {
    const auto& shape = input->type().shape;
    parts.push_back(fmt::format("{} {} {}", input->name(),
                                shape ? tensor::to_string(*shape) : "[?]",
                                tensor::to_string(input->type().dtype)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace espalier::recipe
