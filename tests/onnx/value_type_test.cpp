#include "espalier/onnx/value_type.h"

#include <gtest/gtest.h>

namespace espalier::onnx {
namespace {

TEST(ValueType, SymbolsAndUnknownsSurvive) {
  const ir::TypeInfo type{
      .dtype = tensor::DType::Int8,
      .shape = tensor::Shape{{.size = 2, .symbol = {}}, {.size = {}, .symbol = "N"}, {}}};
  ::onnx::TypeProto proto;
  write_type(type, proto);
  EXPECT_EQ(read_type(proto), type);
}

TEST(ValueType, UnknownRankIsNotAScalar) {
  ::onnx::TypeProto proto;
  write_type({.dtype = tensor::DType::Float32, .shape = std::nullopt}, proto);
  EXPECT_FALSE(read_type(proto).shape.has_value());
  ::onnx::TypeProto scalar;
  write_type({.dtype = tensor::DType::Float32, .shape = tensor::Shape{}}, scalar);
  EXPECT_EQ(read_type(scalar).shape, tensor::Shape{});
}

TEST(ValueType, NegativeSizesAreUnknown) {
  ::onnx::TypeProto proto;
  proto.mutable_tensor_type()->set_elem_type(1);
  proto.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(-1);
  EXPECT_FALSE(read_type(proto).shape->front().known());
}

TEST(ValueType, OtherKindsAreUndefined) {
  ::onnx::TypeProto proto;
  proto.mutable_sequence_type();
  EXPECT_EQ(read_type(proto), ir::TypeInfo{});
}

}  // namespace
}  // namespace espalier::onnx
