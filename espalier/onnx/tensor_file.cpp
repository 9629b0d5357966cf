#include "espalier/onnx/tensor_file.h"

#include <limits>

#include "espalier/base/error.h"
#include "espalier/onnx/tensor_codec.h"

namespace espalier::onnx {

Tensor decode_tensor(std::string_view bytes, std::string_view where) {
  ::onnx::TensorProto proto;
  const bool fits = bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (!fits || !proto.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    throw base::UserError({.what = "bad tensor",
                           .where = std::string(where),
                           .expected = "a serialized ONNX TensorProto"});
  }
  const auto tensor = read_tensor(proto, {}, where);
  if (!tensor) {
    throw base::UnsupportedError({.what = "a tensor of this element type",
                                  .where = std::string(where),
                                  .got = ::onnx::TensorProto::DataType_Name(proto.data_type())});
  }
  return *tensor;
}

}  // namespace espalier::onnx
