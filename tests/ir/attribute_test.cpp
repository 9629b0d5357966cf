#include "espalier/ir/attribute.h"

#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/kit/tensors.h"

namespace espalier::ir {
namespace {

struct AttributeCase {
  const char* name;
  Attribute value;
  Attribute other;  ///< same type, another value
};

std::vector<AttributeCase> cases() {
  return {
      {"int", std::int64_t{1}, std::int64_t{2}},
      {"float", 1.0F, 1.5F},
      {"string", std::string("a"), std::string("b")},
      {"tensor", kit::tensor_of({1, 2}), kit::tensor_of({1, 3})},
      {"ints", Ints{1, 2}, Ints{1}},
      {"floats", Floats{1, 2}, Floats{2, 1}},
      {"strings", Strings{"a"}, Strings{"a", "b"}},
      {"opaque", OpaqueAttribute{"x"}, OpaqueAttribute{"y"}},
  };
}

/// ir::equal, where libtorch's own equal would be found for two tensors.
bool same(const Attribute& left, const Attribute& right) {
  return equal(left, right);
}

TEST(Attribute, EveryTypeHasItsName) {
  EXPECT_EQ(cases().size(), std::variant_size_v<Attribute>);
  for (const AttributeCase& item : cases()) EXPECT_EQ(type_name(item.value), item.name);
}

TEST(Attribute, EqualLooksAtTypeAndValue) {
  const std::vector<AttributeCase> all = cases();
  for (const AttributeCase& left : all) {
    EXPECT_TRUE(same(left.value, left.value)) << left.name;
    EXPECT_FALSE(same(left.value, left.other)) << left.name;
    for (const AttributeCase& right : all) {
      if (left.name != right.name) {
        EXPECT_FALSE(same(left.value, right.value));
      }
    }
  }
}

TEST(Attribute, TensorsAreComparedByTypeShapeAndBits) {
  const Tensor values = kit::random_tensor({2, 3}, 1);
  EXPECT_TRUE(same(values, values.clone()));
  EXPECT_TRUE(same(values.t(), values.t().contiguous())) << "strides do not count";
  EXPECT_FALSE(same(values, values.reshape({3, 2})));
  EXPECT_FALSE(same(values, values.to(at::kDouble)));
  EXPECT_FALSE(same(kit::tensor_of({0.0F}), kit::tensor_of({-0.0F})));
  EXPECT_TRUE(same(kit::tensor_of({std::nanf("")}), kit::tensor_of({std::nanf("")})));
  EXPECT_TRUE(same(kit::tensor_of({}), kit::tensor_of({})));
}

TEST(Attribute, TensorsOfEveryIntegerTypeCompare) {
  for (const auto type :
       {at::kByte, at::kChar, at::kShort, at::kInt, at::kLong, at::kBool, at::ScalarType::UInt16,
        at::ScalarType::UInt32, at::ScalarType::UInt64, at::kHalf, at::kBFloat16}) {
    const Tensor left = kit::integers_of({1, 0, 1}).to(type);
    const Tensor right = kit::integers_of({1, 1, 1}).to(type);
    EXPECT_TRUE(same(left, left.clone())) << c10::toString(type);
    EXPECT_FALSE(same(left, right)) << c10::toString(type);
  }
}

TEST(Attribute, FloatsAreComparedByBits) {
  EXPECT_TRUE(same(std::nanf(""), std::nanf("")));
  EXPECT_FALSE(same(0.0F, -0.0F));
  EXPECT_TRUE(same(Floats{std::nanf("")}, Floats{std::nanf("")}));
  EXPECT_FALSE(same(Floats{0.0F}, Floats{-0.0F}));
}

}  // namespace
}  // namespace espalier::ir
