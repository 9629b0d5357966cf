#include "espalier/tensor/dtype.h"

#include <set>
#include <string_view>
#include <vector>

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

namespace espalier::tensor {
namespace {

const std::vector<DType>& all_types() {
  static const std::vector<DType> kTypes{
      DType::Undefined, DType::Float32, DType::Float64, DType::Float16,
      DType::BFloat16,  DType::Int8,    DType::UInt8,   DType::Int16,
      DType::UInt16,    DType::Int32,   DType::UInt32,  DType::Int64,
      DType::UInt64,    DType::Bool,    DType::String,  DType::Other};
  return kTypes;
}

TEST(DType, TheTableFollowsTheEnumeration) {
  for (std::size_t index = 0; index < all_types().size(); ++index) {
    EXPECT_EQ(static_cast<std::size_t>(all_types()[index]), index);
  }
  EXPECT_EQ(to_string(DType::Float32), "float32");
  EXPECT_EQ(to_string(DType::BFloat16), "bfloat16");
  EXPECT_EQ(to_string(DType::UInt8), "uint8");
  EXPECT_EQ(to_string(DType::Bool), "bool");
  EXPECT_EQ(to_string(DType::Other), "other");
}

TEST(DType, NamesAreUnique) {
  std::set<std::string_view> names;
  for (const DType dtype : all_types()) names.insert(to_string(dtype));
  EXPECT_EQ(names.size(), all_types().size());
}

TEST(DType, LibtorchAgreesOnSizeAndKind) {
  int with_tensor = 0;
  for (const DType dtype : all_types()) {
    const auto type = to_scalar_type(dtype);
    if (!type) {
      EXPECT_EQ(element_size(dtype), 0) << to_string(dtype);
      EXPECT_FALSE(is_floating(dtype)) << to_string(dtype);
      continue;
    }
    ++with_tensor;
    EXPECT_EQ(from_scalar_type(*type), dtype);
    EXPECT_EQ(element_size(dtype), static_cast<std::int64_t>(c10::elementSize(*type)));
    EXPECT_EQ(is_floating(dtype), c10::isFloatingType(*type));
    EXPECT_EQ(at::empty({2}, *type).nbytes(), static_cast<std::size_t>(2 * element_size(dtype)));
  }
  EXPECT_EQ(with_tensor, 13);
}

TEST(DType, TypesThatOnnxLacksBecomeOther) {
  EXPECT_EQ(from_scalar_type(at::kComplexFloat), DType::Other);
  EXPECT_EQ(from_scalar_type(at::kQInt8), DType::Other);
}

}  // namespace
}  // namespace espalier::tensor
