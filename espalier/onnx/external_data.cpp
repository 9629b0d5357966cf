#include "espalier/onnx/external_data.h"

#include <string>

#include "espalier/base/file.h"

namespace espalier::onnx {
namespace {

constexpr std::size_t kAlignment = 64;
/// Shapes, scales and biases stay in the file: readers want them without the data file.
constexpr std::size_t kSmallest = 1024;

void add_entry(::onnx::TensorProto& tensor, const std::string& key, const std::string& value) {
  auto& entry = *tensor.add_external_data();
  entry.set_key(key);
  entry.set_value(value);
}

}  // namespace

void move_data_out(::onnx::ModelProto& model, const std::filesystem::path& path) {
  std::filesystem::path data_path = path;
  data_path += ".data";
  std::string data;
  for (auto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (!tensor.has_raw_data() || tensor.raw_data().size() < kSmallest) continue;
    data.resize((data.size() + kAlignment - 1) / kAlignment * kAlignment, '\0');
    add_entry(tensor, "location", data_path.filename().string());
    add_entry(tensor, "offset", std::to_string(data.size()));
    add_entry(tensor, "length", std::to_string(tensor.raw_data().size()));
    data += tensor.raw_data();
    tensor.clear_raw_data();
    tensor.set_data_location(::onnx::TensorProto::EXTERNAL);
  }
  base::write_file_atomic(data_path, data);
}

}  // namespace espalier::onnx
