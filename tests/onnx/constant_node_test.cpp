#include "espalier/onnx/constant_node.h"

#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::onnx {
namespace {

TEST(ConstantNode, EveryNumericFormGivesATensor) {
  EXPECT_EQ(constant_value({{"value_int", std::int64_t{3}}})->item().toLong(), 3);
  EXPECT_EQ(constant_value({{"value_int", std::int64_t{3}}})->dim(), 0);
  EXPECT_EQ(constant_value({{"value_float", 0.5F}})->scalar_type(), at::kFloat);
  EXPECT_EQ(constant_value({{"value_ints", ir::Ints{1, 2}}})->numel(), 2);
  EXPECT_EQ(constant_value({{"value_floats", ir::Floats{}}})->numel(), 0);
  EXPECT_EQ(constant_value({{"value", kit::tensor_of({1, 2, 3})}})->numel(), 3);
}

TEST(ConstantNode, OthersGiveNone) {
  EXPECT_EQ(constant_value({{"value_string", std::string("a")}}), std::nullopt);
  EXPECT_EQ(constant_value({{"sparse_value", ir::OpaqueAttribute{}}}), std::nullopt);
  EXPECT_EQ(constant_value({{"value", ir::OpaqueAttribute{}}}), std::nullopt);
  EXPECT_EQ(constant_value({}), std::nullopt);
}

}  // namespace
}  // namespace espalier::onnx
