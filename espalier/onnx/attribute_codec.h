#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <onnx/onnx_pb.h>

#include "espalier/ir/attribute.h"

namespace espalier::onnx {

/// The attribute of an AttributeProto; what Espalier only carries (subgraphs, sparse tensors,
/// types, tensors of strings) becomes an OpaqueAttribute. `where` names the node in messages.
[[nodiscard]] ir::Attribute read_attribute(const ::onnx::AttributeProto& proto,
                                           const std::filesystem::path& folder,
                                           std::string_view where);

void write_attribute(const std::string& name, const ir::Attribute& attribute,
                     ::onnx::AttributeProto& proto);

/// The proto inside an opaque attribute; InternalError when its bytes are not one.
[[nodiscard]] ::onnx::AttributeProto parse_opaque(const ir::OpaqueAttribute& attribute);
[[nodiscard]] ir::OpaqueAttribute make_opaque(const ::onnx::AttributeProto& proto);

/// Serialized bytes, the same for equal messages.
[[nodiscard]] std::string serialize(const google::protobuf::MessageLite& message);

}  // namespace espalier::onnx
