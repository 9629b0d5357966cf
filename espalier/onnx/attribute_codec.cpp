#include "espalier/onnx/attribute_codec.h"

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "espalier/base/check.h"
#include "espalier/onnx/tensor_codec.h"

namespace espalier::onnx {
namespace {

using ::onnx::AttributeProto;

/// The type of an attribute; files of IR version 1 leave it out, then the filled field tells.
AttributeProto::AttributeType type_of(const AttributeProto& proto) {
  if (proto.type() != AttributeProto::UNDEFINED) return proto.type();
  if (proto.has_f()) return AttributeProto::FLOAT;
  if (proto.has_i()) return AttributeProto::INT;
  if (proto.has_s()) return AttributeProto::STRING;
  if (proto.has_t()) return AttributeProto::TENSOR;
  if (proto.has_g()) return AttributeProto::GRAPH;
  if (proto.floats_size() > 0) return AttributeProto::FLOATS;
  if (proto.ints_size() > 0) return AttributeProto::INTS;
  if (proto.strings_size() > 0) return AttributeProto::STRINGS;
  return AttributeProto::UNDEFINED;
}

struct Writer {
  AttributeProto& proto;

  void operator()(std::int64_t value) const {
    proto.set_type(AttributeProto::INT);
    proto.set_i(value);
  }
  void operator()(float value) const {
    proto.set_type(AttributeProto::FLOAT);
    proto.set_f(value);
  }
  void operator()(const std::string& value) const {
    proto.set_type(AttributeProto::STRING);
    proto.set_s(value);
  }
  void operator()(const Tensor& value) const {
    proto.set_type(AttributeProto::TENSOR);
    write_tensor(value, *proto.mutable_t());
  }
  void operator()(const ir::Ints& values) const {
    proto.set_type(AttributeProto::INTS);
    proto.mutable_ints()->Assign(values.begin(), values.end());
  }
  void operator()(const ir::Floats& values) const {
    proto.set_type(AttributeProto::FLOATS);
    proto.mutable_floats()->Assign(values.begin(), values.end());
  }
  void operator()(const ir::Strings& values) const {
    proto.set_type(AttributeProto::STRINGS);
    for (const std::string& value : values) proto.add_strings(value);
  }
  void operator()(const ir::OpaqueAttribute& value) const { proto = parse_opaque(value); }
};

}  // namespace

std::string serialize(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    base::invariant(message.SerializePartialToCodedStream(&coded), "cannot serialize a message");
  }
  return bytes;
}

AttributeProto parse_opaque(const ir::OpaqueAttribute& attribute) {
  AttributeProto proto;
  base::invariant(proto.ParseFromString(attribute.bytes), "an opaque attribute is not a proto");
  return proto;
}

ir::OpaqueAttribute make_opaque(const AttributeProto& proto) {
  return {.bytes = serialize(proto)};
}

ir::Attribute read_attribute(const AttributeProto& proto, const std::filesystem::path& folder,
                             std::string_view where) {
  if (!proto.ref_attr_name().empty()) {
    throw base::UserError({.what = fmt::format("bad attribute '{}'", proto.name()),
                           .where = std::string(where),
                           .got = "a reference to an attribute of a function",
                           .expected = "a value"});
  }
  switch (type_of(proto)) {
    case AttributeProto::INT:
      return proto.i();
    case AttributeProto::FLOAT:
      return proto.f();
    case AttributeProto::STRING:
      return proto.s();
    case AttributeProto::INTS:
      return ir::Ints(proto.ints().begin(), proto.ints().end());
    case AttributeProto::FLOATS:
      return ir::Floats(proto.floats().begin(), proto.floats().end());
    case AttributeProto::STRINGS:
      return ir::Strings(proto.strings().begin(), proto.strings().end());
    case AttributeProto::TENSOR: {
      auto tensor =
          read_tensor(proto.t(), folder, fmt::format("{}, attribute '{}'", where, proto.name()));
      if (tensor) return *std::move(tensor);
      return make_opaque(proto);
    }
    case AttributeProto::UNDEFINED:
      throw base::UserError({.what = fmt::format("bad attribute '{}'", proto.name()),
                             .where = std::string(where),
                             .got = "no value",
                             .expected = "a value with its type"});
    default:
      return make_opaque(proto);
  }
}

void write_attribute(const std::string& name, const ir::Attribute& attribute,
                     AttributeProto& proto) {
  std::visit(Writer{proto}, attribute);
  proto.set_name(name);
}

}  // namespace espalier::onnx
