#include "espalier/onnx/tensor_codec.h"

#include <charconv>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include <ATen/ops/empty.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "espalier/base/error.h"
#include "espalier/base/file.h"
#include "espalier/onnx/elem_type.h"
#include "espalier/tensor/dtype.h"

namespace espalier::onnx {
namespace {

using ::onnx::TensorProto;

constexpr int kMaxRank = 32;
constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;

[[noreturn]] void refuse(std::string_view where, std::string got, std::string expected) {
  throw base::UserError({.what = "bad tensor",
                         .where = std::string(where),
                         .got = std::move(got),
                         .expected = std::move(expected)});
}

/// Elements of the dims. The product of the dims that are not 0 is bounded too, so that strides of
/// empty tensors cannot overflow.
std::int64_t count_elements(const TensorProto& proto, std::string_view where) {
  std::int64_t product = 1;
  bool empty = false;
  for (const std::int64_t dim : proto.dims()) {
    if (dim == 0) empty = true;
    const std::int64_t factor = dim == 0 ? 1 : dim;
    if (dim < 0 || __builtin_mul_overflow(product, factor, &product) || product > kMaxElements) {
      refuse(where, fmt::format("dims [{}]", fmt::join(proto.dims(), ", ")),
             "sizes >= 0 with at most 2^40 elements");
    }
  }
  if (proto.dims_size() > kMaxRank) {
    refuse(where, fmt::format("{} dims", proto.dims_size()), fmt::format("at most {}", kMaxRank));
  }
  return empty ? 0 : product;
}

Tensor make_tensor(const TensorProto& proto, tensor::DType dtype) {
  const std::vector<std::int64_t> sizes(proto.dims().begin(), proto.dims().end());
  return at::empty(sizes, at::TensorOptions(*tensor::to_scalar_type(dtype)));
}

std::uint64_t parse_number(const std::string& text, std::string_view key, std::string_view where) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    refuse(where, fmt::format("external data {} '{}'", key, text), "a number");
  }
  return value;
}

/// Where a tensor's bytes lie in an external file.
struct ExternalPlace {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};

ExternalPlace external_place(const TensorProto& proto, std::string_view where) {
  ExternalPlace place;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") place.location = entry.value();
    if (entry.key() == "offset") place.offset = parse_number(entry.value(), "offset", where);
    if (entry.key() == "length") place.length = parse_number(entry.value(), "length", where);
  }
  if (place.location.empty()) refuse(where, "external data without a location", "a file name");
  return place;
}

Tensor read_external(const TensorProto& proto, tensor::DType dtype, std::int64_t count,
                     const std::filesystem::path& folder, std::string_view where) {
  const ExternalPlace place = external_place(proto, where);
  if (folder.empty()) {
    throw base::UserError({.what = "the model keeps data in another file",
                           .where = std::string(where),
                           .got = fmt::format("external data in '{}'", place.location),
                           .hint = "read the model from its file, not from bytes"});
  }
  const std::filesystem::path path = base::join_inside(folder, place.location, "external data");
  std::error_code error;
  const bool regular = std::filesystem::is_regular_file(path, error);
  const std::uint64_t file_size = regular ? std::filesystem::file_size(path, error) : 0;
  if (!regular || error) {
    throw base::UserError({.what = fmt::format("cannot read '{}'", path.string()),
                           .where = std::string(where),
                           .got = "no such file",
                           .expected = "the external data of the model"});
  }
  const auto bytes = static_cast<std::uint64_t>(count * tensor::element_size(dtype));
  if (place.length.value_or(bytes) != bytes) {
    refuse(where, fmt::format("external data of {} bytes", *place.length),
           fmt::format("{} bytes", bytes));
  }
  if (place.offset > file_size || bytes > file_size - place.offset) {
    refuse(where, fmt::format("'{}' with {} bytes", place.location, file_size),
           fmt::format("at least {} bytes from offset {}", bytes, place.offset));
  }
  Tensor result = make_tensor(proto, dtype);
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(place.offset));
  if (bytes > 0) {
    file.read(static_cast<char*>(result.mutable_data_ptr()), static_cast<std::streamsize>(bytes));
  }
  if (!file) throw base::UserError(fmt::format("cannot read '{}'", path.string()));
  return result;
}

Tensor read_raw(const TensorProto& proto, tensor::DType dtype, std::int64_t count,
                std::string_view where) {
  const auto bytes = static_cast<std::uint64_t>(count * tensor::element_size(dtype));
  if (proto.raw_data().size() != bytes) {
    refuse(where, fmt::format("{} bytes of data", proto.raw_data().size()),
           fmt::format("{} bytes for dims [{}] of {}", bytes, fmt::join(proto.dims(), ", "),
                       tensor::to_string(dtype)));
  }
  Tensor result = make_tensor(proto, dtype);
  if (bytes > 0) std::memcpy(result.mutable_data_ptr(), proto.raw_data().data(), bytes);
  return result;
}

/// Copies typed fields; narrow types are stored in wider ones, their low bits count.
template <typename Stored, typename Field>
Tensor read_typed(const TensorProto& proto, tensor::DType dtype, const Field& field,
                  std::int64_t count, std::string_view where) {
  if (field.size() != count) {
    refuse(where, fmt::format("{} values", field.size()),
           fmt::format("{} for dims [{}] of {}", count, fmt::join(proto.dims(), ", "),
                       tensor::to_string(dtype)));
  }
  Tensor result = make_tensor(proto, dtype);
  auto* target = static_cast<Stored*>(result.mutable_data_ptr());
  for (const auto value : field) *target++ = static_cast<Stored>(value);
  return result;
}

Tensor read_fields(const TensorProto& proto, tensor::DType dtype, std::int64_t count,
                   std::string_view where) {
  using tensor::DType;
  switch (dtype) {
    case DType::Float32:
      return read_typed<float>(proto, dtype, proto.float_data(), count, where);
    case DType::Float64:
      return read_typed<double>(proto, dtype, proto.double_data(), count, where);
    case DType::Int64:
      return read_typed<std::int64_t>(proto, dtype, proto.int64_data(), count, where);
    case DType::UInt64:
      return read_typed<std::uint64_t>(proto, dtype, proto.uint64_data(), count, where);
    case DType::UInt32:
      return read_typed<std::uint32_t>(proto, dtype, proto.uint64_data(), count, where);
    case DType::Int32:
      return read_typed<std::int32_t>(proto, dtype, proto.int32_data(), count, where);
    case DType::Float16:
    case DType::BFloat16:
    case DType::UInt16:
    case DType::Int16:
      return read_typed<std::uint16_t>(proto, dtype, proto.int32_data(), count, where);
    case DType::Bool:
      return read_typed<bool>(proto, dtype, proto.int32_data(), count, where);
    default:
      return read_typed<std::uint8_t>(proto, dtype, proto.int32_data(), count, where);
  }
}

}  // namespace

std::optional<Tensor> read_tensor(const TensorProto& proto, const std::filesystem::path& folder,
                                  std::string_view where) {
  const tensor::DType dtype = dtype_of(proto.data_type());
  if (dtype == tensor::DType::Undefined) {
    refuse(where, fmt::format("data type {}", proto.data_type()), "a type of ONNX");
  }
  const std::int64_t count = count_elements(proto, where);
  if (proto.has_segment()) refuse(where, "a segment of a tensor", "a whole tensor");
  const bool external = proto.data_location() == TensorProto::EXTERNAL;
  if (!tensor::to_scalar_type(dtype)) {
    if (external) {
      throw base::UnsupportedError({.what = "unsupported constant",
                                    .where = std::string(where),
                                    .got = "external data of a type that Espalier only carries",
                                    .hint = "store this tensor inside the model file"});
    }
    return std::nullopt;
  }
  if (external) return read_external(proto, dtype, count, folder, where);
  if (proto.has_raw_data()) {
    Tensor result = read_raw(proto, dtype, count, where);
    // A bool is read as a byte elsewhere: only 0 and 1 may reach it.
    if (dtype == tensor::DType::Bool) {
      auto* bytes = static_cast<std::uint8_t*>(result.mutable_data_ptr());
      for (std::int64_t index = 0; index < count; ++index) bytes[index] = bytes[index] != 0 ? 1 : 0;
    }
    return result;
  }
  return read_fields(proto, dtype, count, where);
}

void write_tensor(const Tensor& tensor, TensorProto& proto, bool with_data) {
  for (const std::int64_t size : tensor.sizes()) proto.add_dims(size);
  proto.set_data_type(elem_type_of(tensor::from_scalar_type(tensor.scalar_type())));
  if (!with_data) return;
  const Tensor plain = tensor.detach().cpu().contiguous();
  proto.set_raw_data(plain.numel() == 0 ? "" : static_cast<const char*>(plain.const_data_ptr()),
                     static_cast<std::size_t>(plain.numel()) * plain.element_size());
}

}  // namespace espalier::onnx
