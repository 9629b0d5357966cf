#include "espalier/onnx/elem_type.h"

#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

namespace espalier::onnx {
namespace {

TEST(ElemType, EveryNumberIsAccountedFor) {
  for (int number = 1; number <= 40; ++number) {
    const tensor::DType dtype = dtype_of(number);
    EXPECT_EQ(dtype == tensor::DType::Undefined, !::onnx::TensorProto_DataType_IsValid(number));
    if (dtype == tensor::DType::Other || dtype == tensor::DType::Undefined) continue;
    EXPECT_EQ(elem_type_of(dtype), number);
  }
  EXPECT_EQ(dtype_of(1), tensor::DType::Float32);
  EXPECT_EQ(dtype_of(8), tensor::DType::String);
  EXPECT_EQ(dtype_of(22), tensor::DType::Other);
  EXPECT_EQ(dtype_of(0), tensor::DType::Undefined);
  EXPECT_EQ(elem_type_of(tensor::DType::Other), 0);
}

}  // namespace
}  // namespace espalier::onnx
