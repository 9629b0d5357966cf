#include "espalier/onnx/model_file.h"

#include <array>
#include <limits>
#include <set>

#include <fmt/format.h>

#include "espalier/base/error.h"
#include "espalier/onnx/codec.h"
#include "espalier/onnx/functions.h"

namespace espalier::onnx {
namespace {

using ::onnx::ModelProto;

/// Files that people mistake for ONNX, by their first bytes.
struct Container {
  std::size_t offset;
  std::string_view magic;
  std::string_view description;
};

constexpr std::array kContainers{
    Container{0, std::string_view("PK\x03\x04", 4), "a zip archive, as PyTorch and Keras write"},
    Container{0, std::string_view("\x89HDF", 4), "an HDF5 file, as Keras writes"},
    Container{4, "TFL3", "a TensorFlow Lite file"},
    Container{4, "ORTM", "an ONNX Runtime (ORT) file"},
    Container{0, "<?xml", "an XML file, as OpenVINO writes"},
    Container{0, std::string_view("\x1f\x8b", 2), "a gzip archive"},
    Container{0, std::string_view("\x80\x02", 2), "a Python pickle"},
    Container{0, std::string_view("\x80\x04", 2), "a Python pickle"},
    Container{0, "GGUF", "a GGUF file"},
};

[[noreturn]] void refuse(const std::string& name, std::string got, std::string expected,
                         std::string hint = {}) {
  throw base::UserError({.what = fmt::format("cannot read the model '{}'", name),
                         .got = std::move(got),
                         .expected = std::move(expected),
                         .hint = std::move(hint)});
}

void refuse_other_containers(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) refuse(name, "an empty file", "an ONNX file");
  for (const Container& container : kContainers) {
    if (bytes.substr(std::min(container.offset, bytes.size())).starts_with(container.magic)) {
      throw base::UnsupportedError({.what = fmt::format("cannot read the model '{}'", name),
                                    .got = std::string(container.description),
                                    .expected = "an ONNX file",
                                    .hint = "export the model to ONNX with its own framework"});
    }
  }
}

void normalize_domain(std::string* domain) {
  if (*domain == "ai.onnx") domain->clear();
}

void normalize_domains(::onnx::GraphProto& graph) {
  for (auto& node : *graph.mutable_node()) {
    if (node.domain() == "ai.onnx") node.mutable_domain()->clear();
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.has_g()) normalize_domains(*attribute.mutable_g());
      for (auto& inner : *attribute.mutable_graphs()) normalize_domains(inner);
    }
  }
}

void check_opset(std::int64_t version, const std::string& name) {
  if (version >= kOldestReadOpset && version <= kNewestOpset) return;
  throw base::UnsupportedError({.what = fmt::format("cannot read the model '{}'", name),
                                .got = fmt::format("opset {}", version),
                                .expected = fmt::format("{} to {}", kOldestReadOpset, kNewestOpset),
                                .hint = "export the model again with one of these"});
}

void check_opset_imports(ModelProto& model, const std::string& name) {
  std::set<std::string> domains;
  for (auto& import : *model.mutable_opset_import()) {
    normalize_domain(import.mutable_domain());
    if (!domains.insert(import.domain()).second) {
      refuse(name, fmt::format("two opset versions of the domain '{}'", import.domain()), "one");
    }
    if (import.domain().empty()) check_opset(import.version(), name);
  }
  for (const auto& node : model.graph().node()) {
    if (!domains.contains(node.domain())) {
      refuse(name,
             fmt::format("node '{}' ({}) of the domain '{}'", node.name(), node.op_type(),
                         node.domain()),
             "an opset_import of this domain");
    }
  }
}

}  // namespace

std::int64_t default_opset(const ModelProto& model) {
  for (const auto& import : model.opset_import()) {
    if (import.domain().empty()) return import.version();
  }
  return 0;
}

void check_envelope(ModelProto& model, const std::string& name) {
  if (!model.has_graph()) {
    refuse(name, "a file without a graph", "an ONNX model",
           "the file is damaged, or was not written as ONNX");
  }
  if (model.ir_version() < 3) {
    throw base::UnsupportedError({.what = fmt::format("cannot read the model '{}'", name),
                                  .got = fmt::format("IR version {}", model.ir_version()),
                                  .expected = "3 or later",
                                  .hint = "export the model again with a newer exporter"});
  }
  if (model.ir_version() > ::onnx::IR_VERSION) {
    throw base::UnsupportedError(
        {.what = fmt::format("cannot read the model '{}'", name),
         .got = fmt::format("IR version {}", model.ir_version()),
         .expected = fmt::format("at most {}", static_cast<int>(::onnx::IR_VERSION)),
         .hint = fmt::format("export the model again with opset {} or lower", kNewestOpset)});
  }
  normalize_domains(*model.mutable_graph());
  inline_functions(model, name);
  check_opset_imports(model, name);
}

ModelProto parse_model(std::string_view bytes, const std::string& name) {
  refuse_other_containers(bytes, name);
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    refuse(name, fmt::format("{} bytes", bytes.size()), "less than 2 GB",
           "keep the weights in an external data file");
  }
  ModelProto model;
  if (!model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    refuse(name, fmt::format("{} bytes that are no ONNX model", bytes.size()), "an ONNX file",
           "the file is truncated or damaged, or was not written as ONNX");
  }
  check_envelope(model, name);
  return model;
}

}  // namespace espalier::onnx
