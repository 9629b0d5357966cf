#include "espalier/passes/shape_number.h"

#include <limits>

#include <gtest/gtest.h>

namespace espalier::passes {
namespace {

using Operation = ShapeOperation;

ShapeNumber integer(std::int64_t value) {
  return ShapeNumber::of_integer(value);
}
ShapeNumber symbol(const char* name) {
  return ShapeNumber::of_symbol(name);
}

std::string text(Operation operation, const ShapeNumber& left, const ShapeNumber& right) {
  return calculate(operation, left, right, tensor::DType::Int64).text();
}

TEST(ShapeNumber, CalculatesIntegersAsOnnxDoes) {
  EXPECT_EQ(text(Operation::Div, integer(-7), integer(2)), "-3") << "truncates";
  EXPECT_EQ(text(Operation::Mod, integer(-7), integer(2)), "1") << "sign of the divisor";
  EXPECT_EQ(text(Operation::Max, integer(3), integer(-1)), "3");
  EXPECT_EQ(text(Operation::Equal, integer(3), integer(3)), "1");
  EXPECT_EQ(text(Operation::Less, integer(3), integer(3)), "0");
}

TEST(ShapeNumber, IsUnknownWhereIntegersFail) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(text(Operation::Div, integer(1), integer(0)), "?");
  EXPECT_EQ(text(Operation::Mod, integer(1), integer(0)), "?");
  EXPECT_EQ(text(Operation::Div, integer(kLeast), integer(-1)), "?");
  EXPECT_EQ(text(Operation::Add, integer(kMost), integer(1)), "?");
  EXPECT_EQ(text(Operation::Mul, integer(kMost), integer(2)), "?");
  EXPECT_EQ(text(Operation::Sub, integer(kLeast), integer(1)), "?");
  EXPECT_EQ(text(Operation::Add, ShapeNumber{}, integer(1)), "?");
}

TEST(ShapeNumber, RoundsRealsToTheirType) {
  const auto third = [](tensor::DType dtype) {
    return calculate(Operation::Div, ShapeNumber::of_real(1), ShapeNumber::of_real(3), dtype).real;
  };
  EXPECT_EQ(third(tensor::DType::Float32), static_cast<double>(1.0F / 3.0F));
  EXPECT_EQ(third(tensor::DType::Float64), 1.0 / 3.0);
}

TEST(ShapeNumber, FollowsLinearForms) {
  const ShapeNumber height = symbol("H");
  EXPECT_EQ(text(Operation::Mul, height, integer(2)), "2*H");
  const ShapeNumber shifted =
      calculate(Operation::Add, calculate(Operation::Mul, height, integer(4), tensor::DType::Int64),
                integer(-2), tensor::DType::Int64);
  EXPECT_EQ(shifted.text(), "4*H-2");
  EXPECT_EQ(text(Operation::Div, shifted, integer(2)), "2*H-1");
  EXPECT_EQ(text(Operation::Sub, shifted, shifted), "0");
  EXPECT_EQ(text(Operation::Sub, height, shifted), "-3*H+2");
  EXPECT_EQ(text(Operation::Mul, height, integer(0)), "0");
}

TEST(ShapeNumber, NamesOtherExpressions) {
  EXPECT_EQ(text(Operation::Div, symbol("H"), integer(2)), "(H / 2)");
  EXPECT_EQ(calculate(Operation::Mul, symbol("H"), symbol("W"), tensor::DType::Int64),
            calculate(Operation::Mul, symbol("W"), symbol("H"), tensor::DType::Int64));
  EXPECT_NE(text(Operation::Sub, symbol("H"), symbol("W")),
            text(Operation::Sub, symbol("W"), symbol("H")));
  EXPECT_EQ(text(Operation::Equal, symbol("N"), integer(-1)), "0") << "a size is not negative";
  EXPECT_EQ(text(Operation::Equal, symbol("N"), integer(1)), "?");
  ShapeNumber grown = symbol("H");
  for (int round = 0; round < 12; ++round) {
    grown = calculate(Operation::Mul, grown, grown, tensor::DType::Int64);
  }
  EXPECT_EQ(grown.kind, ShapeNumber::Kind::Unknown) << "expressions stay short";
}

TEST(ShapeNumber, NamesDimensions) {
  EXPECT_EQ(number_of_dim({.size = 3, .symbol = {}}, "x", 0).text(), "3");
  EXPECT_EQ(number_of_dim({.size = {}, .symbol = "N"}, "x", 0).text(), "N");
  EXPECT_EQ(number_of_dim({.size = {}, .symbol = {}}, "x", 2).text(), "x[2]");
}

TEST(ShapeVector, KnowsWhenAllIsKnown) {
  ShapeVector vector{.numbers = {integer(1), ShapeNumber::of_real(2)}};
  EXPECT_TRUE(vector.is_constant());
  EXPECT_EQ(vector.integers(), std::nullopt);
  vector.numbers[1] = integer(2);
  EXPECT_EQ(vector.integers(), (std::vector<std::int64_t>{1, 2}));
  vector.numbers[0] = symbol("N");
  EXPECT_FALSE(vector.is_constant());
}

}  // namespace
}  // namespace espalier::passes
