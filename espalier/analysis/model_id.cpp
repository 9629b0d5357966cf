#include "espalier/analysis/model_id.h"

#include <bit>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/checksum.h"
#include "espalier/tensor/dtype.h"

namespace espalier::analysis {
namespace {

std::string text_of(const Tensor& tensor) {
  const Tensor dense = tensor.cpu().contiguous();
  const std::string_view bytes(static_cast<const char*>(dense.const_data_ptr()), dense.nbytes());
  return fmt::format("{} [{}] {}", tensor::to_string(tensor::from_scalar_type(dense.scalar_type())),
                     fmt::join(dense.sizes().vec(), ","), base::content_id(bytes));
}

/// Floats by their bits, so that equal text means equal value.
std::string text_of(float number) {
  return fmt::format("{:08x}", std::bit_cast<unsigned>(number));
}

/// Text with its length, so that no separator inside it can imitate another model.
std::string text_of(const std::string& text) {
  return fmt::format("{}:{}", text.size(), text);
}

std::string text_of(std::int64_t number) {
  return fmt::to_string(number);
}

template <typename Element>
std::string text_of(const std::vector<Element>& list) {
  std::string text;
  for (const Element& element : list) text += text_of(element) + ",";
  return text;
}

std::string text_of(const ir::OpaqueAttribute& attribute) {
  return base::content_id(attribute.bytes);
}

std::string names_of(const std::vector<ir::Value*>& values) {
  std::string text;
  for (const ir::Value* value : values) {
    text += value == nullptr ? "-," : text_of(value->name()) + ",";
  }
  return text;
}

std::string text_of(const ir::Node& node) {
  std::string text =
      fmt::format("node {} {} {} {} -> {}", text_of(node.name()), text_of(node.domain()),
                  text_of(node.op()), names_of(node.inputs()), names_of(node.outputs()));
  for (const auto& [name, attribute] : node.attributes()) {
    const std::string value = std::visit([](const auto& held) { return text_of(held); }, attribute);
    text += fmt::format(" {} {} {}", text_of(name), ir::type_name(attribute), value);
  }
  return text + "\n";
}

}  // namespace

std::string model_id(const ir::Graph& graph) {
  std::string text;
  for (const auto& [domain, version] : graph.opsets) {
    text += fmt::format("opset {} {}\n", text_of(domain), version);
  }
  text += fmt::format("inputs {}\n", names_of(graph.inputs()));
  for (const ir::Value* constant : graph.initializers()) {
    text +=
        fmt::format("constant {} {}\n", text_of(constant->name()), text_of(constant->constant()));
  }
  for (const ir::Node* node : graph.nodes()) text += text_of(*node);
  text += fmt::format("outputs {}\n", names_of(graph.outputs()));
  return base::content_id(text);
}

}  // namespace espalier::analysis
